"""The happy path against the product's own replay market, clock and all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone

import aiohttp

from app.config.settings import ExchangeSettings, ReplaySettings
from app.core.clock import ScaledClock
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.exchange.service import ExchangeService
from app.replay.server import serve


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


@asynccontextmanager
async def replay_market() -> AsyncIterator[ExchangeService]:
    """The service on the replay market's clock, 120 times as fast as ours."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    settings = ReplaySettings(port=0, history_days=20)
    server = asyncio.create_task(serve(settings, None, port.set_result, stop))
    try:
        url = f"http://127.0.0.1:{await port}"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/replay/clock") as reply:
                times = await reply.json()
        clock = ScaledClock(
            moment(times["virtual_ms"]), moment(times["real_ms"]), times["speed"]
        )
        async with ExchangeService(ExchangeSettings(), clock, url) as exchange:
            yield exchange
    finally:
        stop.set()
        await server


async def test_every_time_frame_gives_closed_bars_without_a_hole() -> None:
    async with replay_market() as exchange:
        now = await exchange.server_time()
        for timeframe in (Timeframe.M1, Timeframe.M15, Timeframe.H1, Timeframe.D1):
            since = now - 15 * timeframe.duration
            page = await exchange.fetch_candles("BTC/USDT", timeframe, since, 100)
            opens = [candle.open_at for candle in page.candles]
            expected = list(timeframe.opens(since, timeframe.floor(page.server_now)))
            assert opens == expected and not page.rejected


async def test_history_is_walked_to_the_last_closed_bar() -> None:
    async with replay_market() as exchange:
        end = await exchange.server_time()
        start = end - timedelta(days=3)
        found: list[datetime] = []
        walk = exchange.fetch_history("ETH/USDT", Timeframe.M5, start, end, 250)
        async for page in walk:
            found += [candle.open_at for candle in page.candles]
        assert found == list(Timeframe.M5.opens(start, Timeframe.M5.floor(end)))


async def test_all_markets_are_asked_at_once() -> None:
    async with replay_market() as exchange:
        markets = await exchange.fetch_markets()
        batch = await exchange.fetch_tickers()
        assert batch.tickers and set(batch.tickers) <= set(markets)
        since = await exchange.server_time() - timedelta(hours=2)
        requests = [CandleRequest(s, Timeframe.M5, since, 50) for s in batch.tickers]
        answers = await exchange.fetch_many(requests)
        assert all(isinstance(page, CandlePage) for _, page in answers)


async def test_books_and_trades_are_read() -> None:
    async with replay_market() as exchange:
        book = await exchange.fetch_order_book("BTC/USDT", 20)
        assert len(book.bids) == len(book.asks) == 20
        trades = await exchange.fetch_trades("BTC/USDT", limit=50)
        assert trades.trades and not trades.rejected
        assert await exchange.fetch_funding_rate("BTC/USDT") is None
