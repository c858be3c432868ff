"""What becomes a bar, what is refused, and what is not yet closed."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.clock import ManualClock
from app.domain.timeframe import Timeframe
from app.exchange.candles import build_page
from app.exchange.replies import CandlePage, CandleRequest
from tests.exchange.fake_exchange import START, bar, body, ms, opened

NOON = START - timedelta(seconds=30)
SINCE = NOON - timedelta(minutes=10)


def minute(number: int) -> datetime:
    return SINCE + timedelta(minutes=number)


async def page_of(rows: list[Any], limit: int = 10) -> CandlePage:
    async with opened() as (fake, exchange):
        fake.always["klines"] = body(rows)
        return await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, limit)


def opens(page: CandlePage) -> list[datetime]:
    return [candle.open_at for candle in page.candles]


async def test_the_unfinished_bar_is_left_out() -> None:
    page = await page_of([bar(minute(n)) for n in range(8, 11)])
    assert opens(page) == [minute(8), minute(9)]
    assert page.covered_until == NOON and not page.rejected


async def test_a_bar_is_closed_by_the_time_of_sending_not_of_arrival() -> None:
    clock = ManualClock(START)
    async with opened(clock) as (fake, exchange):
        await exchange.server_time()

        async def slow(request: Any) -> Any:
            # The reply was written at 12:00:30; a minute passes before it arrives.
            reply = await body([bar(minute(9)), bar(minute(10))])(request)
            clock.advance(60)
            return reply

        fake.always["klines"] = slow
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
    assert opens(page) == [minute(9)]


async def test_our_wrong_clock_does_not_close_a_bar() -> None:
    clock = ManualClock(START + timedelta(hours=1))
    async with opened(clock) as (fake, exchange):
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 20)
    assert opens(page)[-1] == minute(9)
    assert page.server_now <= fake.now


async def test_the_exchange_time_is_carried_on_and_read_again() -> None:
    clock = ManualClock(START)
    async with opened(clock) as (fake, exchange):
        for _ in range(4):
            await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 20)
            clock.advance(200)
            fake.now += timedelta(seconds=200)
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 20)
        assert len(fake.asked("time")) == 3
        assert page.server_now == START + timedelta(seconds=800)


async def test_reversed_and_overlapping_rows_are_put_in_order() -> None:
    rows = [bar(minute(n)) for n in (5, 4, 4, 3, 3, 2, -1, -2)]
    page = await page_of(rows)
    assert opens(page) == [minute(n) for n in (2, 3, 4, 5)]
    assert not page.rejected


async def test_rows_that_contradict_each_other_are_told() -> None:
    page = await page_of([bar(minute(1), 100.0), bar(minute(1), 200.0)])
    assert [candle.open for candle in page.candles] == [200.0]
    assert page.rejected[0].rule == "contradicts_later_row"
    assert "100.00000000" in page.rejected[0].raw


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        (0, ms(minute(1)) * 1000, "time_not_milliseconds"),
        (0, ms(minute(1)) // 1000, "time_not_milliseconds"),
        (0, None, "time_not_milliseconds"),
        (0, ms(minute(1)) + 1, "time_off_grid"),
        (0, ms(minute(30)), "time_in_future"),
        (1, "NaN", "price_not_finite"),
        (2, "Infinity", "price_not_finite"),
        (3, "0.0", "price_not_positive"),
        (4, "-1", "price_not_positive"),
        (4, None, "price_not_finite"),
        (4, "1e30000000", "price_not_finite"),
        (5, "-1", "volume_negative"),
        (5, "nan", "volume_not_finite"),
        (5, "Infinity", "volume_not_finite"),
        (2, "1.0", "high_below_low"),
    ],
)
async def test_an_impossible_row_is_refused_alone(
    column: int, value: Any, rule: str
) -> None:
    rows = [bar(minute(n)) for n in range(3)]
    rows[1][column] = value
    page = await page_of(rows)
    assert opens(page) == [minute(0), minute(2)]
    (item,) = page.rejected
    assert item.rule == rule and item.symbol == "BTC/USDT"
    assert "1741" in item.raw or column == 0


async def test_an_empty_page_covers_what_was_asked() -> None:
    page = await page_of([], limit=4)
    assert len(page) == 0 and page.covered_until == minute(4)


@pytest.mark.parametrize(
    ("timeframe", "good", "off_grid"),
    [
        (Timeframe.W1, datetime(2025, 2, 17), datetime(2025, 2, 18)),
        (Timeframe.MN1, datetime(2025, 1, 1), datetime(2025, 1, 31)),
        (Timeframe.MN1, datetime(2024, 2, 1), datetime(2024, 2, 29)),
    ],
)
def test_weeks_and_months_follow_the_calendar(
    timeframe: Timeframe, good: datetime, off_grid: datetime
) -> None:
    since = datetime(2024, 1, 1, tzinfo=timezone.utc)
    moments = [m.replace(tzinfo=timezone.utc) for m in (good, off_grid)]
    current = timeframe.floor(START)
    rows = [[ms(m), 1.0, 2.0, 0.5, 1.5, 3.0] for m in [*moments, current]]
    request = CandleRequest("BTC/USDT", timeframe, since, 1000)
    page = build_page(request, rows, START)
    assert opens(page) == moments[:1]
    assert [item.rule for item in page.rejected] == ["time_off_grid"]


CELLS = st.one_of(
    st.floats(),
    st.integers(),
    st.none(),
    st.text(max_size=5),
    st.sampled_from([0, -1, 1e308, ms(SINCE), ms(minute(3)), ms(minute(400))]),
    st.lists(st.none(), max_size=2),
)
ROWS = st.lists(
    st.one_of(
        CELLS,
        st.lists(CELLS, max_size=8),
        st.builds(
            lambda n, price, volume: [
                ms(minute(n)),
                price,
                price,
                price,
                price,
                volume,
            ],
            st.integers(-5, 20),
            st.floats(),
            st.floats(),
        ),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(rows=ROWS)
def test_whatever_the_rows_only_possible_closed_bars_come_out(rows: list[Any]) -> None:
    request = CandleRequest("BTC/USDT", Timeframe.M1, SINCE, 10)
    page = build_page(request, rows, START)
    for candle in page.candles:
        assert candle.impossibility() is None
        assert SINCE <= candle.open_at <= minute(9)
        assert Timeframe.M1.is_aligned(candle.open_at)
        assert math.isfinite(candle.volume)
    assert opens(page) == sorted(set(opens(page)))
    assert len(page) + len(page.rejected) <= len(rows)
