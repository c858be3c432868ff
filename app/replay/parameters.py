"""Query parameters with the exchange's defaults, bounds and refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping

from app.domain.timeframe import Timeframe
from app.replay.replies import (
    BinanceError,
    illegal_parameter,
    invalid_symbol,
    missing_parameter,
)
from app.replay.source import BarWindow, Listing, MarketSource

Query = Mapping[str, str]

_MAX_LIMITS = {"klines": 1000, "aggTrades": 1000, "trades": 1000, "depth": 5000}
_DEFAULT_LIMITS = {"klines": 500, "aggTrades": 500, "trades": 500, "depth": 100}
_LARGEST = 2**53  # no instant or id of theirs is above this


def find_integer(query: Query, name: str) -> int | None:
    """The number given, None without one; refuses text, negatives and absurdities."""
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _LARGEST:
        raise illegal_parameter(name)
    return int(text)


def get_limit(query: Query, path: str) -> int:
    """`limit`, cut to the largest allowed as the exchange cuts it."""
    limit = find_integer(query, "limit")
    if limit is None:
        return _DEFAULT_LIMITS[path]
    if limit == 0:
        raise BinanceError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, _MAX_LIMITS[path])


def get_timeframe(query: Query) -> Timeframe:
    """`interval` as a time frame."""
    if not query.get("interval"):
        raise missing_parameter("interval")
    try:
        return Timeframe(query["interval"])
    except ValueError:
        raise BinanceError(-1120, "Invalid interval.") from None


def get_window(query: Query) -> BarWindow:
    """`startTime`, `endTime` and `limit` of a klines request."""
    return BarWindow(
        find_integer(query, "startTime"),
        find_integer(query, "endTime"),
        get_limit(query, "klines"),
    )


def get_listing(source: MarketSource, query: Query, now_ms: int) -> Listing:
    """The listing of `symbol`."""
    symbol = query.get("symbol")
    if not symbol:
        raise missing_parameter("symbol")
    listing = source.find_listing(symbol, now_ms)
    if listing is None:
        raise invalid_symbol()
    return listing


def find_symbols(query: Query) -> list[str] | None:
    """The names in `symbol` or `symbols`; None when neither was given."""
    if "symbol" in query:
        return [query["symbol"]]
    if "symbols" not in query:
        return None
    try:
        names = json.loads(query["symbols"])
    except ValueError:
        raise illegal_parameter("symbols") from None
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise illegal_parameter("symbols")
    return names


def get_listings(source: MarketSource, query: Query, now_ms: int) -> list[Listing]:
    """The listings asked for, all when none is named."""
    names = find_symbols(query)
    if names is None:
        return list(source.listings(now_ms))
    found = [source.find_listing(name, now_ms) for name in names]
    if None in found:
        raise invalid_symbol()
    return [listing for listing in found if listing is not None]
