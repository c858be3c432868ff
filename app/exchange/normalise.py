"""From ccxt's unified dicts to our market types, one item at a time.

Every function raises BadData for an item that cannot be true.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from app.core.exceptions import BadData
from app.domain.market import (
    BookLevel,
    FundingRate,
    Market,
    MarketStatus,
    OrderBook,
    PublicTrade,
    Ticker,
)
from app.exchange import numbers
from app.exchange.moments import moment_of

_LONGEST_NAME = 64
# ccxt's precisionMode values (ccxt.base.decimal_to_precision).
_DECIMAL_PLACES = 2
_TICK_SIZE = 4
# Servers of one house disagree by seconds; what lies further ahead is a wrong time.
_CLOCK_TOLERANCE = timedelta(minutes=5)


def market_from(unified: Mapping[str, Any], exchange: str, precision: int) -> Market:
    """A market of ccxt's list; `precision` is the client's `precisionMode`."""
    base, quote = _name(unified, "base"), _name(unified, "quote")
    if base == unified.get("id") and base.endswith(quote):
        # What ccxt falls back on where the entry names no base currency.
        raise BadData(f"base must be a currency, got the market's own name {base!r}")
    active = unified.get("active")
    places = unified.get("precision") or {}
    limits = unified.get("limits") or {}
    return Market(
        exchange=exchange,
        symbol=_name(unified, "symbol"),
        exchange_symbol=_name(unified, "id"),
        base=base,
        quote=quote,
        # None: the venue does not say, and lists only what trades.
        status=MarketStatus.HALTED if active is False else MarketStatus.TRADING,
        price_tick=_step(places, "price", precision),
        amount_step=_step(places, "amount", precision),
        min_notional=numbers.optional(limits.get("cost") or {}, "min"),
    )


def ticker_from(unified: Mapping[str, Any], now: datetime) -> Ticker:
    """A ticker; a bid, ask, high or low of 0 means that there is none."""
    bid, ask = numbers.optional(unified, "bid"), numbers.optional(unified, "ask")
    high, low = numbers.optional(unified, "high"), numbers.optional(unified, "low")
    if bid is not None and ask is not None and bid > ask:
        raise BadData(f"bid {bid} is above ask {ask}")
    if high is not None and low is not None and high < low:
        raise BadData(f"high {high} is below low {low}")
    return Ticker(
        symbol=_name(unified, "symbol"),
        at=_optional_moment(unified, "timestamp", now),
        last=numbers.required(unified, "last"),
        bid=bid,
        ask=ask,
        high_24h=high,
        low_24h=low,
        base_volume_24h=numbers.amount(unified, "baseVolume"),
        quote_volume_24h=numbers.amount(unified, "quoteVolume"),
    )


def order_book_from(
    unified: Mapping[str, Any], symbol: str, depth: int, now: datetime
) -> OrderBook:
    """The best `depth` levels of each side; an empty side is possible."""
    bids = [_level(level) for level in unified.get("bids") or ()]
    asks = [_level(level) for level in unified.get("asks") or ()]
    bids.sort(key=lambda level: -level.price)
    asks.sort(key=lambda level: level.price)
    if bids and asks and bids[0].price >= asks[0].price:
        raise BadData(
            f"order book of {symbol} is crossed: best bid {bids[0].price}, "
            f"best ask {asks[0].price}"
        )
    return OrderBook(
        symbol=symbol,
        at=_optional_moment(unified, "timestamp", now),
        bids=tuple(bids[:depth]),
        asks=tuple(asks[:depth]),
    )


def trade_from(unified: Mapping[str, Any], now: datetime) -> PublicTrade:
    """One public trade."""
    side = unified.get("side")
    if side not in ("buy", "sell", None):
        raise BadData(f"side must be buy or sell, got {side!r:.40}")
    trade_id = unified.get("id")
    return PublicTrade(
        trade_id=None if trade_id is None else str(trade_id)[:_LONGEST_NAME],
        at=_past(moment_of(unified.get("timestamp")), now),
        price=numbers.required(unified, "price"),
        amount=numbers.required(unified, "amount"),
        taker_side=side,
    )


def funding_rate_from(
    unified: Mapping[str, Any], symbol: str, now: datetime
) -> FundingRate:
    """The current funding rate of a perpetual swap."""
    told = unified.get("symbol")
    if told is not None and told != symbol:
        raise BadData(f"a funding rate of {symbol} was asked for, not of {told!r:.40}")
    next_ms = unified.get("fundingTimestamp") or unified.get("nextFundingTimestamp")
    rate = numbers.finite(unified, "fundingRate")
    if abs(rate) >= 1:
        raise BadData(f"funding rate of {symbol} must lie within -1 to 1, got {rate}")
    return FundingRate(
        symbol=symbol,
        at=_optional_moment(unified, "timestamp", now),
        rate=rate,
        next_at=None if not next_ms else moment_of(next_ms, "next funding time"),
    )


def _name(unified: Mapping[str, Any], key: str) -> str:
    value = unified.get(key)
    if (
        not isinstance(value, str)
        or not value
        or len(value) > _LONGEST_NAME
        or not value.isprintable()
    ):
        raise BadData(
            f"{key} must be a printable text of 1 to {_LONGEST_NAME} characters, "
            f"got {value!r:.80}"
        )
    return value


def _step(places: Mapping[str, Any], key: str, precision: int) -> float | None:
    if precision == _TICK_SIZE:
        return numbers.optional(places, key)
    if precision == _DECIMAL_PLACES and isinstance(places.get(key), int | float):
        return float(10 ** -places[key])
    return None


def _level(level: Any) -> BookLevel:
    if not isinstance(level, list | tuple) or len(level) < 2:
        raise BadData(f"an order book level is [price, amount], got {level!r:.80}")
    pair = {"price": level[0], "amount": level[1]}
    return BookLevel(numbers.required(pair, "price"), numbers.required(pair, "amount"))


def _optional_moment(
    unified: Mapping[str, Any], key: str, now: datetime
) -> datetime | None:
    value = unified.get(key)
    return None if value is None else _past(moment_of(value, key), now)


def _past(moment: datetime, now: datetime) -> datetime:
    if moment > now + _CLOCK_TOLERANCE:
        raise BadData(f"time {moment.isoformat()} lies after {now.isoformat()}")
    return moment
