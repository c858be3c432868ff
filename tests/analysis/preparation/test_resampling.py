"""Larger bars from smaller ones: recorded days, calendars, and what is incomplete."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.preparation.frames import ohlcv_to_dataframe
from app.analysis.preparation.grid import close_times, divides, floor_times
from app.analysis.preparation.resample import resample_ohlcv
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.feeds import keep_bars
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import COLUMNS, contents, first_bars, random_walk

quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def holed(bars: int, seed: int, share: float, timeframe: Timeframe) -> CandleWindow:
    """A walk of which only some bars are there."""
    present = np.random.default_rng(seed).random(bars) < share
    present[0] = True
    return keep_bars(random_walk(bars, seed, timeframe=timeframe), present)


def test_recorded_hours_make_the_recorded_days(shared_data: Path) -> None:
    hours = recorded_bars(shared_data, "BTCUSDT-1h")
    expected = recorded_bars(shared_data, "BTCUSDT-1d")

    days = resample_ohlcv(hours, Timeframe.D1)
    at = np.searchsorted(days.window.open_at, expected.open_at)

    for name in ("open_at", "open", "high", "low", "close"):
        np.testing.assert_array_equal(
            getattr(days.window, name)[at], getattr(expected, name)
        )
    # The file's volume of 29 February is 0: a flaw of the recording.
    told = expected.volume > 0
    assert told.sum() == 365
    np.testing.assert_allclose(
        days.window.volume[at][told], expected.volume[told], rtol=1e-10
    )


def test_recorded_outages_make_incomplete_days(shared_data: Path) -> None:
    hours = recorded_bars(shared_data, "BTCUSDT-1h")

    days = resample_ohlcv(hours, Timeframe.D1)

    assert days.expected_bars.min() == days.expected_bars.max() == 24
    lacking = days.expected_bars.sum() - days.found_bars.sum()
    # 128 in outages, 4 before the first bar of the first day, 9 after the last one.
    # One outage from midnight on has a day of its own left: no whole day is missing.
    assert lacking == 128 + 4 + 9
    assert len(days.complete()) == days.is_complete.sum() < len(days.window)


@pytest.mark.parametrize(
    ("timeframe", "rule"),
    [("1d", "1D"), ("4h", "4h"), ("1w", "W-MON"), ("1M", "MS"), ("12h", "12h")],
)
def test_buckets_are_those_of_pandas(timeframe: str, rule: str) -> None:
    window = holed(2000, 3, 0.9, Timeframe.H1)
    how = {"open": "first", "high": "max", "low": "min", "close": "last"}

    ours = resample_ohlcv(window, Timeframe(timeframe)).window
    theirs = (
        ohlcv_to_dataframe(window)
        .resample(rule, closed="left", label="left")
        .agg({**how, "volume": "sum"})
        .dropna()
    )

    frame = ohlcv_to_dataframe(ours)
    pd.testing.assert_frame_equal(frame, theirs, check_freq=False, rtol=1e-12)


def test_months_expect_their_own_number_of_days() -> None:
    days = random_walk(120, seed=2, timeframe=Timeframe.D1)  # 6 January 2025 on

    months = resample_ohlcv(days, Timeframe.MN1)

    assert months.expected_bars.tolist() == [31, 28, 31, 30, 31]
    assert months.found_bars.tolist() == [26, 28, 31, 30, 5]
    assert months.is_complete.tolist() == [False, True, True, True, False]
    assert months.complete().open_at.astype(str).tolist() == [
        f"2025-0{month}-01T00:00:00.000000" for month in (2, 3, 4)
    ]


def test_weeks_open_on_mondays() -> None:
    days = random_walk(30, seed=2, timeframe=Timeframe.D1)

    weeks = resample_ohlcv(keep_bars(days, np.arange(30) != 9), Timeframe.W1)

    assert weeks.window.open_at[:2].astype("datetime64[D]").astype(str).tolist() == [
        "2025-01-06",
        "2025-01-13",
    ]
    assert weeks.found_bars.tolist() == [7, 6, 7, 7, 2]


def test_a_bucket_without_a_bar_is_no_bar() -> None:
    minutes = random_walk(180, seed=1, timeframe=Timeframe.M1)
    gone = (np.arange(180) >= 60) & (np.arange(180) < 120)

    hours = resample_ohlcv(keep_bars(minutes, ~gone), Timeframe.H1)

    assert hours.window.open_at.astype("datetime64[h]").astype(str).tolist() == [
        "2025-01-06T00",
        "2025-01-06T02",
    ]
    assert hours.is_complete.all() and hours.window.missing_bars == 1


@quick
@given(seed=st.integers(0, 2**32 - 1), part=st.floats(0, 1), share=st.floats(0.8, 1.0))
def test_later_bars_change_no_complete_bucket(
    seed: int, part: float, share: float
) -> None:
    window = holed(300, seed, share, Timeframe.M5)
    earlier = first_bars(window, 1 + int(part * (len(window) - 1)))

    whole = resample_ohlcv(window, Timeframe.M15).complete()
    cut = resample_ohlcv(earlier, Timeframe.M15).complete()

    for name in COLUMNS:
        values = getattr(cut, name)
        np.testing.assert_array_equal(getattr(whole, name)[: len(cut)], values)


@quick
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.2, 1.0))
def test_two_steps_make_the_same_bars_as_one(seed: int, share: float) -> None:
    window = holed(400, seed, share, Timeframe.M5)

    straight = resample_ohlcv(window, Timeframe.H4)
    by_hours = resample_ohlcv(resample_ohlcv(window, Timeframe.H1).window, Timeframe.H4)

    for name in ("open_at", "open", "high", "low", "close"):
        np.testing.assert_array_equal(
            getattr(straight.window, name), getattr(by_hours.window, name)
        )
    np.testing.assert_allclose(
        straight.window.volume, by_hours.window.volume, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("lower", "higher"), [("1h", "1h"), ("1d", "4h"), ("6h", "8h"), ("1w", "1M")]
)
def test_bars_that_do_not_fit_are_refused(lower: str, higher: str) -> None:
    window = random_walk(10, seed=1, timeframe=Timeframe(lower))

    with pytest.raises(ValueError, match=f"{higher} bars cannot be made from {lower}"):
        resample_ohlcv(window, Timeframe(higher))


def test_no_bars_make_no_bars() -> None:
    empty = random_walk(10, seed=1)._slice(0, 0)

    resampled = resample_ohlcv(empty, Timeframe.H1)

    assert len(resampled.window) == len(resampled.complete()) == 0
    assert contents(resampled.window) == contents(empty)


@quick
@given(
    moments=st.lists(
        st.datetimes(datetime(1960, 1, 1), datetime(2150, 1, 1)), max_size=5
    ),
    timeframe=st.sampled_from(Timeframe),
)
def test_array_calendars_agree_with_the_time_frame(
    moments: list[datetime], timeframe: Timeframe
) -> None:
    times = np.array(moments, dtype="datetime64[us]")
    aware = [moment.replace(tzinfo=timezone.utc) for moment in moments]

    floors = floor_times(times, timeframe)

    closes = close_times(floors, timeframe)

    for moment, floor, close in zip(aware, floors, closes, strict=True):
        expected = timeframe.floor(moment)
        assert floor.item() == expected.replace(tzinfo=None)
        assert close.item() == timeframe.close_of(expected).replace(tzinfo=None)


def test_a_time_frame_divides_what_it_fits_into() -> None:
    assert divides(Timeframe.M5, Timeframe.M15) and divides(Timeframe.D1, Timeframe.W1)
    assert divides(Timeframe.H12, Timeframe.MN1)
    assert not divides(Timeframe.M3, Timeframe.M5)
    assert not divides(Timeframe.MN1, Timeframe.MN1)
