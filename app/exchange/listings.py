"""What an exchange lists: its markets and their tickers, kept for their time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

import structlog

from app.config.settings import ExchangeSettings
from app.core.clock import Clock
from app.core.exceptions import AppError, CorruptReply
from app.domain.market import Market
from app.exchange.batches import ticker_batch
from app.exchange.call_record import current_record
from app.exchange.calls import ExchangeCalls
from app.exchange.client import require_feature
from app.exchange.replies import TickerBatch
from app.exchange.server_clock import ServerClock
from app.exchange.universe import MarketList

_log = structlog.get_logger(__name__)

# How long a list that could not be had anew is used before it is asked for again.
_MARKETS_RETRY_SECONDS = 60.0


class Listings:
    """The market list and the tickers of one ccxt client, each asked for once a time.

    `read_time` sees to it that `server_clock` knows the exchange's time.
    """

    def __init__(
        self,
        client: Any,
        settings: ExchangeSettings,
        clock: Clock,
        calls: ExchangeCalls,
        server_clock: ServerClock,
        read_time: Callable[[], Awaitable[datetime]],
    ) -> None:
        self.market_list = MarketList(settings.id)
        self._client = client
        self._settings = settings
        self._clock = clock
        self._calls = calls
        self._server_clock = server_clock
        self._read_time = read_time
        self._markets_due = float("-inf")
        self._markets_lock = asyncio.Lock()
        self._tickers = TickerBatch()
        self._tickers_due = float("-inf")
        self._tickers_lock = asyncio.Lock()

    async def fetch_markets(self, force: bool = False) -> dict[str, Market]:
        """All listed markets by symbol; asked again after `markets_ttl_seconds`.

        Without `force`, a list that is held is kept where no new one can be had.
        """
        async with self._markets_lock:
            if force or self._clock.monotonic() >= self._markets_due:
                try:
                    await self._refresh_markets()
                except AppError as error:
                    if force or not self.market_list.markets:
                        raise
                    self._markets_due = self._clock.monotonic() + _MARKETS_RETRY_SECONDS
                    _log.warning(
                        "market_list_kept",
                        exchange=self._settings.id,
                        error=str(error),
                        retry_seconds=_MARKETS_RETRY_SECONDS,
                    )
        return dict(self.market_list.markets)

    async def fetch_market(self, symbol: str) -> Market:
        """One market; UnknownSymbol names the nearest symbols."""
        await self.fetch_markets()
        return self.market_list.get(symbol)

    async def fetch_tickers(self, symbols: Iterable[str] | None = None) -> TickerBatch:
        """Tickers of the listed `symbols` (all, if None), in one request.

        Asked again after `tickers_ttl_seconds`. A symbol the reply does not have is
        absent; one that was refused is in `rejected`.
        """
        await self.fetch_markets()
        async with self._tickers_lock:
            if self._clock.monotonic() >= self._tickers_due:
                self._tickers = await self._ask_tickers()
                ttl = self._settings.tickers_ttl_seconds
                self._tickers_due = self._clock.monotonic() + ttl
        if symbols is None:
            return self._tickers
        found = self._tickers.tickers
        wanted = [symbol for symbol in symbols if symbol in found]
        return TickerBatch({s: found[s] for s in wanted}, self._tickers.rejected)

    async def _refresh_markets(self) -> None:
        async def ask() -> list[Any]:
            unified = [m for m in await self._client.fetch_markets() if m is not None]
            refused = current_record().rejected
            unreadable = [item for item in refused if item.what == "market"]
            self.market_list.offer(unified, self._client.precisionMode, unreadable)
            return unified

        unified, _ = await self._calls.run(self._client.limiter, "market list", ask)
        old = self.market_list.kept
        kept = [self._client.markets[symbol] for symbol in sorted(old)]
        good = self.market_list.markets.keys() - old
        fresh = [m for m in unified if m["symbol"] in good]
        self._client.set_markets([*kept, *fresh])
        ttl = self._settings.markets_ttl_seconds
        self._markets_due = self._clock.monotonic() + ttl

    async def _ask_tickers(self) -> TickerBatch:
        exchange = self._settings.id
        what = "tickers of all markets in one call"
        require_feature(self._client, exchange, "fetchTickers", what)
        await self._read_time()

        async def ask() -> TickerBatch:
            entries = (await self._client.fetch_tickers()).values()
            listed = self.market_list.markets
            # Read after the reply: a slow one rightly tells of a later time than
            # that of its asking.
            now = self._server_clock.at()
            batch = ticker_batch(entries, listed, current_record().rejected, now)
            if not batch.tickers and not batch.rejected:
                raise CorruptReply(
                    f"{exchange}: the reply has no ticker of any of the "
                    f"{len(listed)} listed markets"
                )
            return batch

        batch, _ = await self._calls.run(self._client.limiter, "tickers", ask)
        return batch
