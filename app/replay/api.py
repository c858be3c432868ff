"""Binance's public spot paths, answered from a market source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from aiohttp import web

from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows
from app.replay.books import depth
from app.replay.exchange_info import exchange_info
from app.replay.faults import FaultBook
from app.replay.parameters import (
    Query,
    find_integer,
    get_limit,
    get_listing,
    get_listings,
    get_timeframe,
    get_window,
)
from app.replay.quotes import book_ticker, day_ticker, last_price, quote_of
from app.replay.render import decimal_text, klines_text
from app.replay.replies import BinanceError, json_reply, text_reply
from app.replay.served_log import ServedLog
from app.replay.source import BarWindow, Listing, MarketSource
from app.replay.trades import aggregate_trade, prints, public_trade

_REFILLS = 64


class SpotApi:
    """Replies of `/api/v3`, each a function of the query and the virtual time."""

    def __init__(
        self,
        source: MarketSource,
        faults: FaultBook,
        weight_per_minute: int,
        served: ServedLog | None = None,
    ) -> None:
        self._source, self._faults, self._served = source, faults, served
        self._weight_per_minute = weight_per_minute
        self._paths: dict[str, Callable[[Query, int], web.Response]] = {
            "ping": lambda query, now_ms: json_reply({}),
            "time": lambda query, now_ms: json_reply({"serverTime": now_ms}),
            "exchangeInfo": self._exchange_info,
            "klines": self._klines,
            "ticker/24hr": self._day_tickers,
            "ticker/bookTicker": self._book_tickers,
            "ticker/price": self._prices,
            "depth": self._depth,
            "trades": self._trades,
            "aggTrades": self._aggregate_trades,
        }

    def reply(self, path: str, query: Query, now_ms: int) -> web.Response:
        """The reply to `path` (without `/api/v3/`); raises `BinanceError`."""
        answer = self._paths.get(path)
        if answer is None:
            raise BinanceError(-1, f"Unknown path: /api/v3/{path}", 404)
        return answer(query, now_ms)

    def served_bars(
        self, listing: Listing, timeframe: Timeframe, window: BarWindow, now_ms: int
    ) -> Rows:
        """Bars as the exchange serves them, misbehaviour included.

        Withheld bars do not count towards the limit: an exchange that lacks a bar
        fills its page with the next ones.
        """
        symbol = listing.symbol
        overlap = self._faults.overlap(symbol, timeframe)
        if overlap and window.start_ms is not None:
            first = grid.ceil(window.start_ms, timeframe)
            start = grid.shift(first, timeframe, -overlap)
            window = BarWindow(start, window.end_ms, window.limit + overlap)
        rows = self._source.bars(listing, timeframe, window, now_ms)
        if self._faults.withholds(symbol, timeframe):
            rows = self._without_withheld(listing, timeframe, window, now_ms, rows)
        return self._faults.alter(rows, symbol, timeframe, now_ms)

    def _without_withheld(
        self,
        listing: Listing,
        timeframe: Timeframe,
        window: BarWindow,
        now_ms: int,
        page: Rows,
    ) -> Rows:
        kept = self._faults.withhold(page, listing.symbol, timeframe)
        for _ in range(_REFILLS):
            wanted = window.limit - len(kept)
            if not wanted or not len(page):
                break
            if window.start_ms is None:
                rest = BarWindow(None, int(page[0, OPEN_MS]) - 1, wanted)
            else:
                rest = BarWindow(int(page[-1, OPEN_MS]) + 1, window.end_ms, wanted)
            page = self._source.bars(listing, timeframe, rest, now_ms)
            more = self._faults.withhold(page, listing.symbol, timeframe)
            pieces = (more, kept) if window.start_ms is None else (kept, more)
            kept = np.concatenate(pieces)
        return kept

    def _exchange_info(self, query: Query, now_ms: int) -> web.Response:
        listings = get_listings(self._source, query, now_ms)
        return json_reply(exchange_info(listings, now_ms, self._weight_per_minute))

    def _klines(self, query: Query, now_ms: int) -> web.Response:
        listing = get_listing(self._source, query, now_ms)
        timeframe, window = get_timeframe(query), get_window(query)
        rows = self.served_bars(listing, timeframe, window, now_ms)
        if self._served is not None:
            self._served.record(listing, timeframe, rows, now_ms, window.start_ms)
        return text_reply(klines_text(rows, timeframe, listing))

    def _day_tickers(self, query: Query, now_ms: int) -> web.Response:
        listings = get_listings(self._source, query, now_ms)
        found = [day_ticker(self._source, each, now_ms) for each in listings]
        return json_reply(found[0] if "symbol" in query else found)

    def _book_tickers(self, query: Query, now_ms: int) -> web.Response:
        found = []
        for listing in get_listings(self._source, query, now_ms):
            last = last_price(self._source, listing, now_ms)
            quote = quote_of(listing, last, now_ms, self._source.seed)
            found.append(book_ticker(listing, quote))
        return json_reply(found[0] if "symbol" in query else found)

    def _prices(self, query: Query, now_ms: int) -> web.Response:
        found = []
        for listing in get_listings(self._source, query, now_ms):
            last = last_price(self._source, listing, now_ms) or 0
            price = decimal_text(last, listing.price_decimals)
            found.append({"symbol": listing.symbol, "price": price})
        return json_reply(found[0] if "symbol" in query else found)

    def _depth(self, query: Query, now_ms: int) -> web.Response:
        listing = get_listing(self._source, query, now_ms)
        limit = get_limit(query, "depth")
        return json_reply(depth(self._source, listing, limit, now_ms))

    def _trades(self, query: Query, now_ms: int) -> web.Response:
        listing = get_listing(self._source, query, now_ms)
        found = prints(self._source, listing, now_ms, get_limit(query, "trades"))
        return json_reply([public_trade(each, listing) for each in found])

    def _aggregate_trades(self, query: Query, now_ms: int) -> web.Response:
        listing = get_listing(self._source, query, now_ms)
        found = prints(
            self._source,
            listing,
            now_ms,
            get_limit(query, "aggTrades"),
            start_ms=find_integer(query, "startTime"),
            end_ms=find_integer(query, "endTime"),
            from_id=find_integer(query, "fromId"),
        )
        return json_reply([aggregate_trade(each, listing) for each in found])
