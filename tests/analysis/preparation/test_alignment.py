"""A larger bar counts from its close on, never from its open."""

from __future__ import annotations

from datetime import timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.preparation.alignment import align_values, closed_bar_index
from app.analysis.preparation.resample import resample_ohlcv
from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from tests.analysis.feeds import keep_bars
from tests.analysis.windows import first_bars, random_walk

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
FRAMES = (Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1, Timeframe.W1)


def test_an_hour_is_read_from_its_last_quarter_on() -> None:
    # Quarters open at 00:00, 00:15, ...; the first hour is over at 01:00, which is when
    # the quarter of 00:45 closes.
    quarters = random_walk(10, seed=1, timeframe=Timeframe.M15)
    hours = random_walk(3, seed=2, timeframe=Timeframe.H1)

    index = closed_bar_index(quarters, hours)

    assert index.tolist() == [-1, -1, -1, 0, 0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(
        align_values(hours.close, index),
        [np.nan] * 3 + [hours.close[0]] * 4 + [hours.close[1]] * 3,
    )


def test_a_missing_bar_is_not_replaced_by_an_older_one() -> None:
    quarters = random_walk(14, seed=1, timeframe=Timeframe.M15)
    hours = keep_bars(
        random_walk(3, seed=2, timeframe=Timeframe.H1), np.array([True, False, True])
    )

    index = closed_bar_index(quarters, hours)

    assert index.tolist() == [-1] * 3 + [0] * 4 + [-1] * 4 + [1] * 3


def closed_by_definition(lower: CandleWindow, higher: CandleWindow, bar: int) -> int:
    """The newest bar of `higher` closed at the close of a bar, one after the other."""
    at = lower.open_at[bar].item().replace(tzinfo=timezone.utc)
    now = lower.timeframe.close_of(at)
    wanted = higher.timeframe.last_closed(now)
    opens = [moment.replace(tzinfo=timezone.utc) for moment in higher.open_at.tolist()]
    return opens.index(wanted) if wanted in opens else -1


@quick
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.tuples(st.sampled_from(FRAMES), st.sampled_from(FRAMES)).map(
        lambda pair: sorted(pair, key=FRAMES.index)
    ),
    share=st.floats(0.3, 1.0),
)
def test_the_bar_read_is_the_newest_one_closed(
    seed: int, frames: list[Timeframe], share: float
) -> None:
    noise = np.random.default_rng(seed)
    lower, higher = (random_walk(40, seed, timeframe=frame) for frame in frames)
    lower = keep_bars(lower, noise.random(40) < share)
    higher = keep_bars(higher, noise.random(40) < share)

    index = closed_bar_index(lower, higher)

    expected = [closed_by_definition(lower, higher, bar) for bar in range(len(lower))]
    assert index.tolist() == expected


@quick
@given(
    seed=st.integers(0, 2**32 - 1), kept=st.integers(1, 300), share=st.floats(0.7, 1.0)
)
def test_what_is_read_at_a_bar_was_known_at_its_close(
    seed: int, kept: int, share: float
) -> None:
    # The larger bars are made of the smaller ones: any look-ahead would show.
    present = np.random.default_rng(seed).random(300) < share
    present[0] = True
    minutes = keep_bars(random_walk(300, seed, timeframe=Timeframe.M5), present)
    earlier = first_bars(minutes, min(kept, len(minutes)))

    def closes(window: CandleWindow) -> np.ndarray:
        hours = resample_ohlcv(window, Timeframe.H1).complete()
        return align_values(hours.close, closed_bar_index(window, hours))

    np.testing.assert_array_equal(closes(minutes)[: len(earlier)], closes(earlier))


def test_months_and_weeks_close_by_the_calendar() -> None:
    days = random_walk(60, seed=1, timeframe=Timeframe.D1)  # from Monday 6 January
    months = resample_ohlcv(days, Timeframe.MN1)

    index = closed_bar_index(days, months.window)

    # 31 January is day 25; on its close the month is read.
    assert index[:25].tolist() == [-1] * 25 and index[25:53].tolist() == [0] * 28
    assert index[53:].tolist() == [1] * 7


def test_a_shorter_time_frame_is_refused() -> None:
    quarters = random_walk(4, seed=1, timeframe=Timeframe.M15)
    hours = random_walk(4, seed=1, timeframe=Timeframe.H1)

    with pytest.raises(ValueError, match="1h cannot be lined up .* shorter 15m"):
        closed_bar_index(hours, quarters)


def test_values_of_other_bars_are_refused() -> None:
    with pytest.raises(BadData, match="reaches bar 3, must be under the 3 bars"):
        align_values(np.ones(3), np.array([-1, 3]))


def test_no_bars_have_no_value() -> None:
    some = random_walk(4, seed=1)
    none = some._slice(0, 0)

    assert closed_bar_index(none, some).tolist() == []
    assert closed_bar_index(some, none).tolist() == [-1] * 4
    assert np.isnan(align_values(none.close, np.full(4, -1))).all()
