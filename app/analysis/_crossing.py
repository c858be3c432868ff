"""When a series first goes beyond a level, for many levels at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.analysis.window import FloatArray

IntArray = npt.NDArray[np.int64]

# Levels times bars up to which one comparison of all with all is the fastest way.
_AT_ONCE = 400_000


def first_above(
    values: FloatArray, levels: FloatArray, after: IntArray, *, or_at: bool = False
) -> IntArray:
    """First bar later than `after` whose value is above each level.

    `values` has shape (bars,), `levels` and `after` have shape (levels,). With `or_at`
    a value equal to the level counts. Answers `len(values)` where there is none.
    For the first value below, negate values and levels.
    """
    bars = len(values)
    if not len(levels) or not bars:
        return np.full(len(levels), bars, dtype=np.int64)
    if len(levels) * bars <= _AT_ONCE:
        is_beyond = np.greater_equal if or_at else np.greater
        beyond = is_beyond(values, levels[:, None])
        beyond &= np.arange(bars) > after[:, None]
        first: IntArray = beyond.argmax(axis=1)
        first[~beyond[np.arange(len(levels)), first]] = bars
        return first
    return _in_growing_blocks(values, levels, after, or_at)


def _in_growing_blocks(
    values: FloatArray, levels: FloatArray, after: IntArray, or_at: bool
) -> IntArray:
    # Most levels are met soon, so each round looks twice as far for those left over.
    bars = len(values)
    found = np.full(len(levels), bars, dtype=np.int64)
    open_levels, start, block = np.arange(len(levels)), after + 1, 64
    is_beyond = np.greater_equal if or_at else np.greater
    while len(open_levels):
        reach = start[:, None] + np.arange(block)
        inside = reach < bars
        looked_at = values[np.minimum(reach, bars - 1)]
        beyond = is_beyond(looked_at, levels[open_levels, None]) & inside
        is_met = beyond.any(axis=1)
        found[open_levels[is_met]] = (start + beyond.argmax(axis=1))[is_met]
        is_left = ~is_met & (start + block < bars)
        open_levels, start = open_levels[is_left], start[is_left] + block
        # Memory stays bounded: fewer levels are left, or fewer bars are looked at.
        block = max(64, min(block * 2, 4_000_000 // max(len(open_levels), 1)))
    return found


def highest_from(values: FloatArray) -> FloatArray:
    """Highest value from each bar on, shape (bars + 1,); the last is minus infinity."""
    highest = np.empty(len(values) + 1)
    highest[-1] = -np.inf
    np.maximum.accumulate(values[::-1], out=highest[-2::-1])
    return highest


def first_bars_beyond(
    close: FloatArray, levels: FloatArray, known_from: IntArray
) -> tuple[IntArray, IntArray]:
    """Bars whose close is the first above a level while that level is the newest.

    Answers the bars and the places of their levels, both ascending.
    """
    if not len(levels):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    start = int(known_from[0])
    spans = np.empty(len(levels), dtype=np.int64)
    spans[:-1] = known_from[1:] - known_from[:-1]
    spans[-1] = len(close) - known_from[-1]
    beyond = (close[start:] > np.repeat(levels, spans)).nonzero()[0] + start
    place = known_from.searchsorted(beyond, "right") - 1
    is_first = np.ones(len(place), dtype=bool)
    is_first[1:] = place[1:] != place[:-1]
    return beyond[is_first], place[is_first]
