"""What is refused keeps its text, its rule and its figures, and can be stored."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.candles import build_page
from app.exchange.moments import claimed_moment
from app.exchange.rejected import RejectedItem, plain, raw_text, reject
from app.exchange.replies import CandleRequest
from tests.exchange.fake_exchange import START, bar, body, ms, opened

SINCE = START - timedelta(minutes=10, seconds=30)


def refused(row: list[Any]) -> RejectedItem:
    request = CandleRequest("BTC/USDT", Timeframe.M1, SINCE, 10)
    (item,) = build_page(request, [row], START).rejected
    return item


@pytest.mark.parametrize(
    ("unit", "factor"), [("seconds", 1e-3), ("microseconds", 1e3), ("nanoseconds", 1e6)]
)
def test_another_unit_of_time_is_refused_and_still_read(
    unit: str, factor: float
) -> None:
    item = refused([round(ms(SINCE) * factor), 1.0, 2.0, 0.5, 1.5, 3.0])
    assert item.rule == "time_not_milliseconds"
    assert item.occurred_at == SINCE and item.timeframe is Timeframe.M1
    assert item.figures["open_time_reads_as"] == unit


@pytest.mark.parametrize("column", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "value", [None, "NaN", "nan", "inf", "-Infinity", -1, "-0.1", "", "x", [], {}]
)
def test_no_bad_cell_gets_through(column: int, value: Any) -> None:
    row: list[Any] = [ms(SINCE), "100.0", "102.0", "98.0", "101.0", "5.0"]
    row[column] = value
    item = refused(row)
    assert json.loads(item.raw) == row
    assert item.rule.startswith("volume" if column == 5 else "price")
    assert item.occurred_at == SINCE
    assert item.figures["open_ms"] == ms(SINCE)
    json.dumps(item.figures, allow_nan=False)


@pytest.mark.parametrize("column", [1, 2, 3, 4])
def test_a_price_of_zero_is_refused_and_a_volume_of_zero_is_not(column: int) -> None:
    row: list[Any] = [ms(SINCE), 100.0, 102.0, 98.0, 101.0, 0]
    request = CandleRequest("BTC/USDT", Timeframe.M1, SINCE, 10)
    assert len(build_page(request, [row], START)) == 1
    row[column] = 0
    assert refused(row).rule == "price_not_positive"


async def test_the_raw_text_is_the_row_of_the_venue() -> None:
    rows = [bar(SINCE), bar(SINCE + timedelta(minutes=1))]
    rows[1][2] = "NaN"
    async with opened() as (fake, exchange):
        fake.always["klines"] = body(rows)
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
        again = await exchange.judge_candles("BTC/USDT", Timeframe.M1, rows)
    assert json.loads(page.rejected[0].raw) == rows[1]
    assert [item.rule for item in again.rejected] == ["price_not_finite"]
    assert [candle.open_at for candle in again.candles] == [SINCE]


def test_a_long_item_is_cut_and_told_apart() -> None:
    one, other = raw_text(["x" * 5_000, 1]), raw_text(["x" * 5_000, 2])
    assert len(one) < 2_200 and one != other
    assert one[:2_000] == other[:2_000] and "5007 characters" in one


@pytest.mark.parametrize(
    "raw",
    [
        "a\x00b",
        ["a\x00b"],
        "\ud800",
        ["\ud800", "é", "币安人生"],
        [10**5_000],
        [[]] * 9,
    ],
)
def test_odd_texts_can_be_stored(raw: Any) -> None:
    item = reject("S\x00\ud800" * 99, "candle", RejectionRule.NOT_A_CANDLE, raw)
    for text in (item.raw, item.symbol, item.reason):
        assert "\x00" not in text and text.encode("utf-8")
    assert len(item.symbol) <= 200


def test_a_structure_without_an_end_is_described() -> None:
    endless: list[Any] = []
    endless.append(endless)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert raw_text(endless) and len(raw_text(deep)) < 2_200


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.binary()))
def test_figures_are_json(value: Any) -> None:
    assert "\x00" not in str(plain(value))
    assert json.dumps(plain(value), allow_nan=False)
    if isinstance(value, float) and math.isfinite(value):
        assert plain(value) == value


@given(st.datetimes(datetime(2009, 1, 2), datetime(2099, 12, 30)))
def test_each_unit_is_read_as_itself(moment: datetime) -> None:
    seconds = moment.replace(tzinfo=timezone.utc, microsecond=0).timestamp()
    for unit, factor in (("seconds", 1), (None, 1e3), ("microseconds", 1e6)):
        read, told = claimed_moment(seconds * factor)
        assert read is not None and read.timestamp() == seconds and told == unit


async def test_a_corrupt_reply_is_kept_although_a_retry_works() -> None:
    html = "<html>\x00" + "maintenance " * 500
    async with opened() as (fake, exchange):
        fake.queued["klines"].extend([body(html), body(html), body("[[1,2")])
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
        kept = exchange.take_corrupt_replies()
        assert not exchange.take_corrupt_replies().items
    assert len(page) == 10 and kept.dropped == 0
    first, second = kept.items
    assert first.rule == "reply_unreadable" and first.what == "reply"
    assert first.raw.startswith("<html>") and len(first.raw) < 2_200
    assert first.figures["characters"] == len(html)
    assert (first.symbol, first.timeframe) == ("BTC/USDT", Timeframe.M1)
    assert second.raw == "[[1,2"


async def test_an_outage_of_distinct_pages_fills_no_memory() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        await exchange.fetch_markets()
        for number in range(100):
            fake.queued["klines"].append(body(f"<html>{number}</html>"))
        requests = [CandleRequest("BTC/USDT", Timeframe.M1, SINCE, 10)] * 100
        await exchange.fetch_many(requests)
        kept = exchange.take_corrupt_replies()
    assert len(kept.items) == 64 and kept.dropped == 36
