"""The history walk ends by time: nothing is skipped, nothing goes round."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.core.exceptions import ExchangeUnavailable
from app.domain.timeframe import Timeframe
from tests.exchange.fake_exchange import (
    START,
    FakeExchange,
    bar,
    body,
    ms,
    opened,
    reset,
)

NOON = START - timedelta(seconds=30)
BEGIN = NOON - timedelta(minutes=60)
Serve = Callable[[int, int], list[int]]


def serve(fake: FakeExchange, choose: Serve) -> None:
    """Answer klines with the minutes after BEGIN that `choose` names."""

    async def reply(request: Any) -> Any:
        first = (int(request.query["startTime"]) - ms(BEGIN)) // 60_000
        minutes = choose(first, int(request.query["limit"]))
        rows = [bar(BEGIN + timedelta(minutes=n)) for n in minutes if n <= 60]
        return await body(rows)(request)

    fake.always["klines"] = reply


async def walk(choose: Serve, limit: int = 10, end: datetime = NOON) -> list[int]:
    async with opened() as (fake, exchange):
        serve(fake, choose)
        found: list[int] = []
        walk = exchange.fetch_history("BTC/USDT", Timeframe.M1, BEGIN, end, limit)
        covered = BEGIN
        async for page in walk:
            assert page.since == covered
            covered = page.covered_until
            found += [(c.open_at - BEGIN) // timedelta(minutes=1) for c in page.candles]
        assert covered == min(end, NOON)
        assert len(fake.asked("klines")) <= 62
        return found


EVERY = list(range(60))


@pytest.mark.parametrize(
    "choose",
    [
        lambda first, limit: list(range(first, first + limit)),
        lambda first, limit: list(range(first, first + 3)),
        lambda first, limit: list(range(first, first + 1)),
        lambda first, limit: list(range(first - 5, first + limit)),
        lambda first, limit: list(range(first, first + limit))[::-1],
        lambda first, limit: list(range(first, first + 500)),
    ],
    ids=["full", "three rows", "one row", "overlapping", "reversed", "limit ignored"],
)
async def test_every_bar_is_found_once(choose: Serve) -> None:
    assert await walk(choose) == EVERY


async def test_a_hole_longer_than_a_page_does_not_end_the_walk() -> None:
    hole = range(15, 48)
    kept = [n for n in EVERY if n not in hole]

    def by_window(first: int, limit: int) -> list[int]:
        return [n for n in kept if first <= n < first + limit]

    def by_count(first: int, limit: int) -> list[int]:
        return [n for n in kept if n >= first][:limit]

    assert await walk(by_window) == kept
    assert await walk(by_count) == kept


async def test_an_exchange_without_bars_is_walked_once() -> None:
    assert await walk(lambda first, limit: []) == []


async def test_pages_from_before_the_start_do_not_go_round() -> None:
    assert await walk(lambda first, limit: list(range(-20, -10))) == []


async def test_the_end_is_exclusive() -> None:
    end = BEGIN + timedelta(minutes=25)
    found = await walk(lambda first, limit: list(range(first, first + limit)), 10, end)
    assert found == list(range(25))


async def test_an_end_in_the_future_stops_at_the_last_closed_bar() -> None:
    end = NOON + timedelta(days=3)
    found = await walk(lambda first, limit: list(range(first, first + limit)), 10, end)
    assert found == EVERY


async def test_a_failing_page_is_an_error_and_not_an_end() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        walk = exchange.fetch_history("BTC/USDT", Timeframe.M1, BEGIN, NOON, 10)
        assert len(await anext(walk)) == 10
        fake.always["klines"] = reset
        with pytest.raises(ExchangeUnavailable):
            await anext(walk)


async def test_a_page_is_never_wider_than_the_venue_allows() -> None:
    async with opened() as (fake, exchange):
        await exchange.fetch_candles("BTC/USDT", Timeframe.M1, BEGIN, 5000)
        assert fake.requests[-1][1]["limit"] == "1000"
