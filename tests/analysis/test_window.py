"""What a window of bars refuses, counts and hands out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.candle import Candle
from app.domain.timeframe import Timeframe
from tests.analysis.windows import COLUMNS, random_walk, window_of

START = datetime(2025, 1, 6, tzinfo=timezone.utc)


def arrays(bars: int = 5) -> dict[str, np.ndarray]:
    """Writable columns of a good window of five-minute bars."""
    window = window_of(np.arange(100.0, 100.0 + bars), spread=0.01)
    return {name: getattr(window, name).copy() for name in COLUMNS}


def build(columns: dict[str, np.ndarray]) -> CandleWindow:
    return CandleWindow("AAA/USDT", Timeframe.M5, **columns)


def put(name: str, index: int, value: float) -> Callable[[dict], None]:
    def change(columns: dict[str, np.ndarray]) -> None:
        columns[name][index] = value

    return change


def swap_times(columns: dict[str, np.ndarray]) -> None:
    columns["open_at"][[1, 2]] = columns["open_at"][[2, 1]]


def double_a_time(columns: dict[str, np.ndarray]) -> None:
    columns["open_at"][2] = columns["open_at"][1]


def shift_all(columns: dict[str, np.ndarray]) -> None:
    columns["open_at"] += np.timedelta64(1, "m")


def shift_one(columns: dict[str, np.ndarray]) -> None:
    columns["open_at"][-1] += np.timedelta64(1, "s")


def lose_a_time(columns: dict[str, np.ndarray]) -> None:
    columns["open_at"][1] = np.datetime64("NaT")


def shorten(columns: dict[str, np.ndarray]) -> None:
    columns["close"] = columns["close"][:-1]


def fold(columns: dict[str, np.ndarray]) -> None:
    columns["volume"] = columns["volume"].reshape(1, -1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (swap_times, "must ascend"),
        (double_a_time, "must ascend"),
        (shift_all, "leaves the 5m grid"),
        (shift_one, "leaves the 5m grid"),
        (lose_a_time, "NaT"),
        (shorten, r"close has shape \(4,\), open_at \(5,\)"),
        (fold, "volume has shape"),
        (put("close", 2, np.nan), "close must be finite"),
        (put("open", 0, np.inf), "open must be finite"),
        (put("low", 4, 0.0), "low must be finite and above 0"),
        (put("low", 4, -1.0), "low must be finite and above 0"),
        (put("volume", 1, np.nan), "volume must be finite"),
        (put("volume", 1, -0.5), "volume must be finite and at least 0"),
        (put("volume", 1, np.inf), "volume must be finite"),
        (put("high", 3, 50.0), "high is below low at 2025-01-06T00:15"),
    ],
)
def test_bars_no_market_can_have_made_are_refused(
    spoil: Callable[[dict], None], message: str
) -> None:
    columns = arrays()
    spoil(columns)

    with pytest.raises(BadData, match=message) as caught:
        build(columns)
    assert "AAA/USDT 5m" in str(caught.value)


def test_missing_bars_are_counted_within_the_window_only() -> None:
    window = random_walk(10, seed=1)
    columns = {name: getattr(window, name)[[0, 1, 4, 5, 9]] for name in COLUMNS}

    holed = build(columns)

    assert window.missing_bars == 0
    assert holed.missing_bars == 5
    assert holed.last(3).missing_bars == 3
    assert holed.last(1).missing_bars == holed.last(0).missing_bars == 0


def test_missing_months_are_counted_by_the_calendar() -> None:
    opens = [datetime(2024, month, 1, tzinfo=timezone.utc) for month in (1, 2, 3, 6)]
    candles = [Candle(open_at, 1.0, 2.0, 0.5, 1.5, 0.0) for open_at in opens]

    window = CandleWindow.from_candles("AAA/USDT", Timeframe.MN1, candles)

    assert window.missing_bars == 2
    assert window.last_close_at == datetime(2024, 7, 1, tzinfo=timezone.utc)


def test_months_that_open_on_another_day_are_refused() -> None:
    opens = [START + timedelta(days=30 * number) for number in range(2)]
    candles = [Candle(open_at, 1.0, 2.0, 0.5, 1.5, 0.0) for open_at in opens]

    with pytest.raises(BadData, match="leaves the 1M grid"):
        CandleWindow.from_candles("AAA/USDT", Timeframe.MN1, candles)


def test_candles_become_columns_whatever_zone_their_times_are_in() -> None:
    tokyo = timezone(timedelta(hours=9))
    candles = [
        Candle(START, 1.0, 4.0, 0.5, 2.0, 10.0),
        Candle((START + timedelta(minutes=5)).astimezone(tokyo), 2.0, 5.0, 1.0, 3.0, 0),
    ]

    window = CandleWindow.from_candles("AAA/USDT", Timeframe.M5, candles)

    assert [getattr(window, name)[1] for name in COLUMNS[1:]] == [2, 5, 1, 3, 0]
    assert window.last_open_at == START + timedelta(minutes=5)
    assert window.last_close_at == START + timedelta(minutes=10)


def test_an_empty_window_is_allowed_but_has_no_last_bar() -> None:
    window = CandleWindow.from_candles("AAA/USDT", Timeframe.M5, [])

    assert len(window) == window.missing_bars == 0
    with pytest.raises(BadData, match="holds no bar"):
        _ = window.last_open_at


def test_until_keeps_the_bar_named_and_drops_those_after_it() -> None:
    window = random_walk(10, seed=2)

    at_open = window.until(START + timedelta(minutes=20))
    within = window.until(START + timedelta(minutes=24, seconds=59))

    assert len(at_open) == len(within) == 5
    assert at_open.last_open_at == START + timedelta(minutes=20)
    assert len(window.until(START - timedelta(seconds=1))) == 0


@pytest.mark.parametrize("name", COLUMNS)
def test_no_reader_can_change_what_another_one_sees(name: str) -> None:
    for window in (random_walk(10, seed=3), random_walk(10, seed=3).last(5)):
        with pytest.raises(ValueError, match="read-only"):
            getattr(window, name)[0] = getattr(window, name)[1]
