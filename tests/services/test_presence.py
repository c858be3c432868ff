"""Open times as columns tell the same missing slots as one by one."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.slots import split_by_presence
from app.domain.timeframe import Timeframe
from app.models.bars import to_microseconds
from app.services.collection.presence import OpenTimes

BASE = datetime(2023, 12, 4, tzinfo=timezone.utc)


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.W1, Timeframe.MN1])
@given(present=st.sets(st.integers(0, 40)), bounds=st.tuples(*[st.integers(5, 35)] * 2))
def test_the_missing_runs_are_those_of_the_slow_way(
    timeframe: Timeframe, present: set[int], bounds: tuple[int, int]
) -> None:
    grid = [timeframe.shift(timeframe.floor(BASE), number) for number in range(41)]
    start, end = (grid[number] for number in sorted(bounds))
    opens = [grid[number] for number in sorted(present)]
    times = OpenTimes(np.array([to_microseconds(at) for at in opens], dtype=np.int64))
    slow = split_by_presence(timeframe, start, end, opens)
    missing = [run for run in slow if not run.is_filled]
    assert times.missing_between(timeframe, start, end) == missing
    assert times.between(start, end) == [at for at in opens if start <= at < end]
    assert len(times) == len(opens)
