"""Sums and runs over the last bars that leave no trace of older ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.analysis.window import FloatArray

BoolArray = npt.NDArray[np.bool_]


def rolling_sum(values: FloatArray, bars: int) -> FloatArray:
    """Sum of the last `bars` values at each bar; of all so far where there are fewer.

    Only values of the span are added (van Herk 1992: sums from both sides of block
    borders). A running sum, which adds the newest and takes off the oldest, keeps the
    rounding of a past giant: 1e12 that left the span leaves 1e-4 in it for ever, and a
    span without volume would not sum to 0.
    """
    size = len(values)
    if size <= bars:
        return values.cumsum()
    whole = size // bars * bars
    total, behind = np.empty(size), np.empty(whole)
    blocks, ends = values[:whole].reshape(-1, bars), behind.reshape(-1, bars)
    np.cumsum(blocks, axis=1, out=total[:whole].reshape(-1, bars))
    np.cumsum(values[whole:], out=total[whole:])
    np.cumsum(blocks[:, ::-1], axis=1, out=ends[:, ::-1])
    ends[:, 0] = 0.0  # a span that starts a block is that block's own sum
    total[bars:] += behind[1 : size - bars + 1]
    return total


def held_for(condition: BoolArray, bars: int) -> BoolArray:
    """Where `condition` holds at each of the last `bars` bars; False before those."""
    places = np.arange(len(condition))
    broken = np.maximum.accumulate(np.where(condition, -1, places))
    held: BoolArray = places - broken >= bars
    return held


def unchanged(values: FloatArray) -> BoolArray:
    """Where a value equals the one before it; False at the first bar."""
    same = np.zeros(len(values), dtype=np.bool_)
    np.equal(values[1:], values[:-1], out=same[1:])
    return same
