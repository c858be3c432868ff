"""ExchangeService: everything the product asks of an exchange, in domain types."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Self, TypeVar

from app.config.settings import ExchangeSettings
from app.core.clock import Clock
from app.core.exceptions import (
    AppError,
    ExchangeRefused,
    RetryableError,
)
from app.domain.market import FundingRate, Market, OrderBook
from app.domain.timeframe import Timeframe
from app.exchange.budget import Budget
from app.exchange.batches import trade_page
from app.exchange.call_record import CallRecord
from app.exchange.calls import ExchangeCalls
from app.exchange.candles import build_page
from app.exchange.client import build_client, page_limit, require_feature, require_url
from app.exchange.corrupt_replies import RejectedReplies
from app.exchange.history import walk_history
from app.exchange.judging import find_objection
from app.exchange.listings import Listings
from app.exchange.moments import EARLIEST_MS, milliseconds_of
from app.exchange.normalise import funding_rate_from, order_book_from
from app.exchange.rate_limiter import RateLimiter
from app.exchange.rejected import RejectedItem
from app.exchange.replies import CandlePage, CandleRequest, TickerBatch, TradePage
from app.exchange.server_clock import UNKNOWN_SKEW, ServerClock, read_server_time
from app.exchange.transport import open_session

T = TypeVar("T")


class ExchangeService:
    """One exchange, through ccxt, for one process; use it with `async with`.

    Every method raises our errors only: RateLimited, ExchangeUnavailable and
    CorruptReply after retries within the call deadline, ExchangeRefused at once,
    UnknownSymbol and BadData for what concerns one item. `exchange_id` is what
    `cryptocurrencies.exchange` holds (`replay` for the replay market).
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        clock: Clock,
        replay_url: str | None = None,
        randomness: random.Random | None = None,
        budget: Budget | None = None,
        reserve_share: float = 0.0,
    ) -> None:
        """`budget` is shared with other processes, this one's own if None.

        `reserve_share` is the part of a full bucket that it leaves to them.
        """
        self.exchange_id = settings.id
        self._settings = settings
        self._clock = clock
        self._replay_url = require_url(settings, replay_url)
        # Seeded per process, so that processes which fail together part ways.
        self._randomness = randomness or random.Random(os.getpid())
        self._budget, self._reserve_share = budget, reserve_share
        self._server_clock = ServerClock(clock)
        self._client: Any = None
        self._listings: Listings
        self._session: Any = None
        self._calls = ExchangeCalls(settings.id, settings.max_concurrent_requests)
        self._time_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._session = open_session(
            settings.max_body_bytes, settings.max_concurrent_requests
        )
        try:
            self._client = build_client(
                settings,
                self._clock,
                self._replay_url,
                self._session,
                self._randomness,
                self._budget,
                self._reserve_share,
            )
        except BaseException:
            await self._session.close()
            raise
        self._listings = Listings(
            self._client,
            settings,
            self._clock,
            self._calls,
            self._server_clock,
            self._exchange_now,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            # A last try, where the database could not be told of a ban so far.
            with suppress(RetryableError):
                await self.rate_limiter.save_cooldown()
        finally:
            await self._client.close()
            await self._session.close()

    @property
    def rate_limiter(self) -> RateLimiter:
        """Budget and cooldown of this exchange's host."""
        limiter: RateLimiter = self._client.limiter
        return limiter

    async def server_time(self) -> datetime:
        """The exchange's time, read now: never later than it is.

        Where the venue does not tell it, our own less two seconds.
        """
        if not self._client.has["fetchTime"]:
            self._server_clock.set(self._clock.now() - UNKNOWN_SKEW)
            return self._server_clock.at()

        server_at, _ = await self._call(
            "server time", lambda: read_server_time(self._client)
        )
        self._server_clock.set(server_at)
        return server_at

    async def fetch_markets(self, force: bool = False) -> dict[str, Market]:
        """All listed markets by symbol; asked again after `markets_ttl_seconds`.

        Without `force`, a list that is held is kept where no new one can be had.
        """
        return await self._listings.fetch_markets(force)

    @property
    def listed_markets(self) -> dict[str, Market]:
        """What the last market list says, believed or not (see `MarketList`)."""
        return dict(self._listings.market_list.listed)

    def believe_market_list(self) -> None:
        """Give up the markets that the last list lost."""
        self._listings.market_list.believe()

    @property
    def rejected_markets(self) -> tuple[RejectedItem, ...]:
        """Entries of the last market list that could not be read."""
        return self._listings.market_list.rejected

    async def fetch_market(self, symbol: str) -> Market:
        """One market; UnknownSymbol names the nearest symbols."""
        return await self._listings.fetch_market(symbol)

    async def fetch_tickers(self, symbols: Iterable[str] | None = None) -> TickerBatch:
        """Tickers of the listed `symbols` (all, if None), in one request.

        Asked again after `tickers_ttl_seconds`. A symbol the reply does not have is
        absent; one that was refused is in `rejected`.
        """
        return await self._listings.fetch_tickers(symbols)

    async def fetch_candles(
        self, symbol: str, timeframe: Timeframe, since: datetime, limit: int
    ) -> CandlePage:
        """One page of closed bars that open at or after `since`, at most `limit`.

        A venue's own limit may make it shorter: `covered_until` says how far it
        reaches. Closed is judged by the exchange's time when the request was sent.
        """
        await self.fetch_market(symbol)
        require_feature(self._client, self.exchange_id, "fetchOHLCV", "candles")
        if timeframe.value not in (self._client.timeframes or {timeframe.value: ""}):
            raise ExchangeRefused(
                f"{self.exchange_id} has no {timeframe} candles, only "
                f"{', '.join(self._client.timeframes)}"
            )
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        await self._exchange_now()
        limit = min(limit, page_limit(self._client, symbol))
        since_ms = milliseconds_of(timeframe.ceil(since))
        rows, record = await self._call(
            f"candles {symbol} {timeframe}",
            lambda: self._client.fetch_ohlcv(symbol, timeframe.value, since_ms, limit),
            symbol,
            timeframe,
        )
        request = CandleRequest(symbol, timeframe, since, limit)
        sent_at = self._server_clock.at(record.sent_monotonic)
        return build_page(request, rows, sent_at, self._server_clock.at())

    async def judge_candles(
        self, symbol: str, timeframe: Timeframe, rows: list[Any]
    ) -> CandlePage:
        """Rows as this venue sends them, judged by today's rules; asks no candles.

        `rejected` names the refused ones, the others are bars of the page.
        """
        await self.fetch_market(symbol)
        now = await self._exchange_now()
        parsed = self._client.parse_ohlcvs(rows, self._client.market(symbol))
        since = datetime.fromtimestamp(EARLIEST_MS / 1000, timezone.utc)
        return build_page(CandleRequest(symbol, timeframe, since, 1), parsed, now)

    async def find_objection(self, symbol: str, what: str, raw: Any) -> str | None:
        """Why today's rules refuse a ticker, trade or market as this venue sends it."""
        await self.fetch_markets()
        now = await self._exchange_now()
        return find_objection(self._client, self.exchange_id, what, raw, symbol, now)

    def take_corrupt_replies(self) -> RejectedReplies:
        """Replies that were not the document asked for, since the last time.

        Those that a retry made good are among them. Keep them with
        `app.services.quarantine.keeping.keep_replies` at the end of a pass.
        """
        return self._calls.corrupt_replies.take()

    def fetch_history(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        page_limit: int = 1000,
    ) -> AsyncGenerator[CandlePage, None]:
        """Pages of the closed bars that open in [start, end), oldest first."""
        return walk_history(self._fetch_page, symbol, timeframe, start, end, page_limit)

    async def fetch_many(
        self, requests: Sequence[CandleRequest]
    ) -> list[tuple[CandleRequest, CandlePage | AppError]]:
        """A page for each request, in their order; a failed one has its error."""

        async def fetch(request: CandleRequest) -> CandlePage | AppError:
            try:
                return await self._fetch_page(request)
            except AppError as error:
                return error

        if requests:
            await self.fetch_markets()
            await self._exchange_now()
        pages = await asyncio.gather(*(fetch(request) for request in requests))
        return list(zip(requests, pages, strict=True))

    async def fetch_order_book(self, symbol: str, depth: int = 20) -> OrderBook:
        """The best `depth` levels of each side; BadData if the book is impossible."""
        await self.fetch_market(symbol)
        await self._exchange_now()
        book, _ = await self._call(
            f"order book {symbol}",
            lambda: self._client.fetch_order_book(symbol, depth),
            symbol,
        )
        return order_book_from(book, symbol, depth, self._server_clock.at())

    async def fetch_trades(
        self, symbol: str, since: datetime | None = None, limit: int = 500
    ) -> TradePage:
        """Public trades, oldest first: the last `limit`, or the first since `since`."""
        await self.fetch_market(symbol)
        require_feature(self._client, self.exchange_id, "fetchTrades", "trades")
        await self._exchange_now()
        since_ms = None if since is None else milliseconds_of(since)
        reply, record = await self._call(
            f"trades {symbol}",
            lambda: self._client.fetch_trades(symbol, since_ms, limit),
            symbol,
        )
        now = self._server_clock.at()
        return trade_page(reply, symbol, since, limit, record.rejected, now)

    async def fetch_funding_rate(self, symbol: str) -> FundingRate | None:
        """The current funding rate; None where the venue or market has none."""
        await self.fetch_market(symbol)
        if not self._client.has["fetchFundingRate"]:
            return None
        if not self._client.market(symbol).get("swap"):
            return None
        await self._exchange_now()
        reply, _ = await self._call(
            f"funding rate {symbol}", lambda: self._client.fetch_funding_rate(symbol)
        )
        return funding_rate_from(reply, symbol, self._server_clock.at())

    async def _fetch_page(self, request: CandleRequest) -> CandlePage:
        return await self.fetch_candles(
            request.symbol, request.timeframe, request.since, request.limit
        )

    async def _exchange_now(self) -> datetime:
        async with self._time_lock:
            if not self._server_clock.is_fresh:
                await self.server_time()
        return self._server_clock.at()

    async def _call(
        self,
        call: str,
        operation: Callable[[], Awaitable[T]],
        symbol: str = "",
        timeframe: Timeframe | None = None,
    ) -> tuple[T, CallRecord]:
        return await self._calls.run(
            self.rate_limiter, call, operation, symbol, timeframe
        )
