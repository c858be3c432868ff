"""A reply that was long under way tells of times after that of its asking."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from app.core.clock import ManualClock
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from tests.exchange.fake_exchange import (
    START,
    Reply,
    bar,
    body,
    ms,
    opened,
    ticker_entry,
)

SLOW = timedelta(minutes=27)
TRADE = {"a": 1, "p": "100.5", "q": "0.25", "m": False, "M": True}


def slow(clock: ManualClock, document: Any) -> Reply:
    """The reply comes when `SLOW` has passed."""

    async def reply(request: web.Request) -> web.StreamResponse:
        clock.advance(SLOW.total_seconds())
        return await body(document)(request)

    return reply


@pytest.mark.parametrize(("ahead", "kept"), [(0, 1), (4, 1), (6, 0)])
async def test_a_ticker_is_judged_by_the_time_after_its_reply(
    ahead: int, kept: int
) -> None:
    clock = ManualClock(START)
    at = START + SLOW + timedelta(minutes=ahead)
    entry = ticker_entry("BTC", closeTime=ms(at))
    async with opened(clock) as (fake, exchange):
        fake.queued["ticker/24hr"].append(slow(clock, [entry]))
        batch = await exchange.fetch_tickers()
    assert (len(batch.tickers), len(batch.rejected)) == (kept, 1 - kept)


@pytest.mark.parametrize(("ahead", "kept"), [(0, 1), (6, 0)])
async def test_a_trade_is_judged_by_the_time_after_its_reply(
    ahead: int, kept: int
) -> None:
    clock = ManualClock(START)
    trade = {**TRADE, "T": ms(START + SLOW + timedelta(minutes=ahead))}
    async with opened(clock) as (fake, exchange):
        fake.queued["aggTrades"].append(slow(clock, [trade]))
        page = await exchange.fetch_trades("BTC/USDT")
    assert (len(page.trades), len(page.rejected)) == (kept, 1 - kept)


async def test_a_book_is_judged_by_the_time_after_its_reply() -> None:
    clock = ManualClock(START)
    async with opened(clock) as (_, exchange):
        now = START

        async def book(symbol: str, depth: int) -> dict[str, Any]:
            clock.advance(SLOW.total_seconds())
            return {"bids": [[99.0, 1.0]], "asks": [], "timestamp": ms(now)}

        exchange._client.fetch_order_book = book
        now = START + SLOW
        assert (await exchange.fetch_order_book("BTC/USDT")).at == now
        now = START + 3 * SLOW
        with pytest.raises(BadData, match="lies after"):
            await exchange.fetch_order_book("BTC/USDT")


async def test_bars_close_by_the_time_of_asking_and_lie_ahead_of_the_reply() -> None:
    clock = ManualClock(START)
    minutes = [START.replace(second=0) + timedelta(minutes=n) for n in (-1, 0, 27, 29)]
    async with opened(clock) as (fake, exchange):
        fake.queued["klines"].append(slow(clock, [bar(at) for at in minutes]))
        page = await exchange.fetch_candles(
            "BTC/USDT", Timeframe.M1, minutes[0], limit=100
        )
    # Of what opened meanwhile nothing is known to be closed, yet it is not impossible.
    assert page.open_ms.tolist() == [ms(minutes[0])]
    assert [item.occurred_at for item in page.rejected] == [minutes[3]]
