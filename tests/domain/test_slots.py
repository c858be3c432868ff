"""Runs of slots cover a range exactly, whatever bars are present."""

from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from app.domain.slots import split_by_presence
from app.domain.timeframe import Timeframe

START = datetime(2024, 1, 29, tzinfo=timezone.utc)


@given(
    timeframe=st.sampled_from(list(Timeframe)),
    slots=st.integers(1, 60),
    present=st.sets(st.integers(-5, 65), max_size=40),
)
def test_runs_are_disjoint_and_cover_the_range(
    timeframe: Timeframe, slots: int, present: set[int]
) -> None:
    start = timeframe.floor(START)
    end = timeframe.shift(start, slots)
    bars = {timeframe.shift(start, offset) for offset in present}

    runs = split_by_presence(timeframe, start, end, bars)

    assert runs[0].starts_at == start and runs[-1].ends_at == end
    for before, after in zip(runs, runs[1:]):
        assert before.ends_at == after.starts_at
        assert before.is_filled != after.is_filled
    filled = {
        open_at
        for run in runs
        if run.is_filled
        for open_at in timeframe.opens(run.starts_at, run.ends_at)
    }
    assert filled == {bar for bar in bars if start <= bar < end}
