"""Crossings of many levels at once are those that a plain loop finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis import _crossing
from app.analysis._crossing import first_above, first_bars_beyond, highest_from

few = st.integers(0, 6).map(float)
series = st.lists(few, min_size=1, max_size=200).map(np.array)


def by_loop(values: np.ndarray, level: float, after: int, or_at: bool) -> int:
    for bar in range(after + 1, len(values)):
        if values[bar] > level or (or_at and values[bar] == level):
            return bar
    return len(values)


@pytest.mark.parametrize("at_once", [0, 10**6], ids=["in blocks", "at once"])
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    values=series, levels=st.lists(few, max_size=12), or_at=st.booleans(), d=st.data()
)
def test_the_first_bar_above_is_found(
    at_once: int, values: np.ndarray, levels: list[float], or_at: bool, d: st.DataObject
) -> None:
    places = st.integers(0, len(values) - 1)
    after = [d.draw(places) for _ in levels]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_crossing, "_AT_ONCE", at_once)
        found = first_above(
            values, np.array(levels), np.array(after, dtype=np.int64), or_at=or_at
        )

    pairs = zip(levels, after, strict=True)
    assert found.tolist() == [by_loop(values, *pair, or_at) for pair in pairs]


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(close=series, d=st.data())
def test_a_level_is_broken_once_and_only_while_it_is_the_newest(
    close: np.ndarray, d: st.DataObject
) -> None:
    known = sorted(d.draw(st.sets(st.integers(0, len(close) - 1), max_size=8)))
    levels = [d.draw(few) for _ in known]

    bars, places = first_bars_beyond(
        close, np.array(levels), np.array(known, dtype=np.int64)
    )

    expected = []
    for place, (start, level) in enumerate(zip(known, levels, strict=True)):
        end = known[place + 1] if place + 1 < len(known) else len(close)
        beyond = [bar for bar in range(start, end) if close[bar] > level]
        expected += [(beyond[0], place)] if beyond else []
    assert list(zip(bars.tolist(), places.tolist(), strict=True)) == expected


def test_highest_from_each_bar_on() -> None:
    assert highest_from(np.array([3.0, 1.0, 2.0])).tolist() == [3, 2, 2, -np.inf]
    assert highest_from(np.empty(0)).tolist() == [-np.inf]
