"""Counting slots of many series at once agrees with counting them one by one."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.slot_counts import count_slots
from app.domain.timeframe import Timeframe
from app.models.bars import to_microseconds

MOMENTS = st.datetimes(
    datetime(2009, 1, 1), datetime(2040, 1, 1), timezones=st.just(timezone.utc)
)


@given(st.sampled_from(Timeframe), st.lists(st.tuples(MOMENTS, MOMENTS), max_size=5))
def test_slots_of_many_pairs_are_those_of_each(
    timeframe: Timeframe, pairs: list[tuple[datetime, datetime]]
) -> None:
    on_grid = [(timeframe.floor(a), timeframe.floor(b)) for a, b in pairs]
    starts, ends = (
        np.array([to_microseconds(pair[n]) for pair in on_grid], np.int64)
        for n in (0, 1)
    )
    expected = [timeframe.count_bars(start, end) for start, end in on_grid]
    assert count_slots(timeframe, starts, ends).tolist() == expected
