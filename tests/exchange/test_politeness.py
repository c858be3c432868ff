"""Over a real socket: limits, bans, refusals and broken connections."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime

import pytest

from app.config.settings import ExchangeSettings
from app.core.clock import ManualClock
from app.core.exceptions import (
    ExchangeRefused,
    ExchangeUnavailable,
    RateLimited,
)
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.exchange.service import ExchangeService
from tests.exchange.fake_exchange import START, body, hang, opened, reset

SINCE = START - timedelta(minutes=10, seconds=30)


async def fetch(exchange: ExchangeService) -> CandlePage:
    return await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)


async def test_429_is_waited_out_by_every_call() -> None:
    async with opened() as (fake, exchange):
        await exchange.fetch_markets()
        fake.queued["klines"].append(body({}, 429, {"Retry-After": "7"}))
        await fetch(exchange)
        await exchange.fetch_order_book("BTC/USDT")
        first, second = fake.asked("klines")
        assert second - first >= timedelta(seconds=7)


async def test_429_stops_the_calls_that_wait_beside_it() -> None:
    async with opened(max_concurrent_requests=4) as (fake, exchange):
        await exchange.fetch_markets()
        await exchange.server_time()
        fake.queued["klines"].append(body({}, 429, {"Retry-After": "30"}))
        request = CandleRequest("BTC/USDT", Timeframe.M1, SINCE, 10)
        answers = await exchange.fetch_many([request] * 40)
        assert all(isinstance(page, CandlePage) for _, page in answers)
        asked = sorted(fake.asked("klines"))
        # Requests already under way cannot be called back; all others came later.
        inside = [at for at in asked if at < asked[0] + timedelta(seconds=30)]
        assert len(inside) <= 4


async def test_418_ends_the_call_and_no_other_is_made() -> None:
    clock = ManualClock(START)
    async with opened(clock) as (fake, exchange):
        fake.queued["exchangeInfo"].append(body({}, 418, {"Retry-After": "3600"}))
        for _ in range(3):
            with pytest.raises(RateLimited) as raised:
                await exchange.fetch_markets()
            assert raised.value.retry_after_seconds == pytest.approx(3600)
        assert len(fake.requests) == 1
        clock.advance(3600)
        assert await exchange.fetch_markets()


async def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(START + timedelta(seconds=25), usegmt=True)
    async with opened() as (fake, exchange):
        fake.queued["exchangeInfo"].append(body({}, 429, {"Retry-After": date}))
        await exchange.fetch_markets()
        first, second = fake.asked("exchangeInfo")
        assert second - first >= timedelta(seconds=25)


@pytest.mark.parametrize("status", [403, 451])
async def test_a_refusal_is_final(status: int) -> None:
    async with opened() as (fake, exchange):
        fake.always["exchangeInfo"] = body("<html>no</html>", status)
        with pytest.raises(ExchangeRefused, match=str(status)):
            await exchange.fetch_markets()
        assert len(fake.requests) == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
async def test_a_server_error_is_retried(status: int) -> None:
    async with opened() as (fake, exchange):
        fake.queued["klines"].append(body("<html>later</html>", status))
        assert len(await fetch(exchange)) == 10


async def test_a_reset_and_a_hang_are_retried() -> None:
    async with opened(request_timeout_seconds=0.2) as (fake, exchange):
        fake.queued["klines"].extend([reset, hang, reset])
        assert len(await fetch(exchange)) == 10


async def test_an_exchange_that_hangs_is_unavailable() -> None:
    async with opened(request_timeout_seconds=0.05, max_attempts=2) as (fake, exchange):
        fake.always["exchangeInfo"] = hang
        with pytest.raises(ExchangeUnavailable):
            await exchange.fetch_markets()
        assert len(fake.requests) == 2


async def test_the_call_deadline_covers_all_attempts() -> None:
    options = {"request_timeout_seconds": 60, "call_deadline_seconds": 0.1}
    async with opened(**options) as (fake, exchange):
        fake.always["exchangeInfo"] = hang
        with pytest.raises(ExchangeUnavailable, match="deadline of 0.1 s"):
            await exchange.fetch_markets()


async def test_nobody_listening_is_one_clear_error() -> None:
    settings = ExchangeSettings(max_attempts=2)
    clock = ManualClock(START)
    async with ExchangeService(settings, clock, "http://127.0.0.1:9") as exchange:
        with pytest.raises(ExchangeUnavailable, match="market list.*127.0.0.1:9"):
            await exchange.fetch_markets()


async def test_the_costs_ccxt_knows_are_what_is_spent() -> None:
    clock = ManualClock(START)
    async with opened(clock, budget_share=0.4, tickers_ttl_seconds=0) as (_, exchange):
        # One that counts by itself takes a quarter of 480 units a minute; a batch of
        # tickers costs 16 and a page of candles 0.4.
        await exchange.fetch_markets()
        start = clock.monotonic()
        for _ in range(10):
            clock.advance(1e-3)
            await exchange.fetch_tickers()
        assert 160 / 120 * 60 * 0.9 <= clock.monotonic() - start <= 160 / 120 * 60 * 1.2


async def test_one_failure_does_not_lose_the_others() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        await exchange.fetch_markets()
        requests = [
            CandleRequest(symbol, Timeframe.M1, SINCE, 10)
            for symbol in ("BTC/USDT", "NO/SUCH", "ETH/USDT", "SOL/USDT")
        ]
        fake.queued["klines"].append(body("", 500))
        answers = await exchange.fetch_many(requests)
        assert [request for request, _ in answers] == requests
        pages = [page for _, page in answers if isinstance(page, CandlePage)]
        assert len(pages) == 2


async def test_requests_at_once_are_bounded() -> None:
    running = peak = 0

    async with opened(max_concurrent_requests=3) as (fake, exchange):
        await exchange.fetch_markets()

        async def slow(request: object) -> object:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(0.01)
            running -= 1
            return await body([])(request)  # type: ignore[arg-type]

        fake.always["klines"] = slow  # type: ignore[assignment]
        request = CandleRequest("BTC/USDT", Timeframe.M1, SINCE, 10)
        await exchange.fetch_many([request] * 20)
    assert peak == 3
