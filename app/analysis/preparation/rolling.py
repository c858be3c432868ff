"""Functions of the last few values, at every value.

Each row is summed by itself, never by adding the newest and subtracting the oldest:
running sums carry the rounding of long gone large values along, and their result
depends on where the series began.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from app.analysis.window import FloatArray

# Rows copied at a time, so that a million bars do not become a matrix in memory.
_ROWS = 4096


def reduce_rolling(
    values: FloatArray, period: int, reduce: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """`reduce` of the `period` values that end at each one; NaN for the first ones.

    `reduce` gets a (rows, period) matrix, oldest value first, which it may overwrite,
    and gives (rows,). Raises ValueError for a period under 1.
    """
    if period < 1:
        raise ValueError(f"period is {period}, must be at least 1")
    result = np.full(len(values), np.nan)
    if len(values) < period:
        return result
    if len(values) == period:  # the last bar alone, on its declared window
        result[-1:] = reduce(np.array(values, dtype=np.float64, ndmin=2))
        return result
    rows = sliding_window_view(np.asarray(values, dtype=np.float64), period)
    for start in range(0, len(rows), _ROWS):
        part = np.array(rows[start : start + _ROWS])
        result[start + period - 1 :][: len(part)] = reduce(part)
    return result


def reduce_rolling_pair(
    first: FloatArray,
    second: FloatArray,
    period: int,
    reduce: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """The same for two series of one length: `reduce` gets a matrix of each."""
    if period < 1 or len(first) != len(second):
        raise ValueError(
            f"period is {period}, must be at least 1; lengths are {len(first)} and "
            f"{len(second)}, must be equal"
        )
    result = np.full(len(first), np.nan)
    if len(first) < period:
        return result
    rows = [
        sliding_window_view(np.asarray(values, dtype=np.float64), period)
        for values in (first, second)
    ]
    for start in range(0, len(rows[0]), _ROWS):
        parts = [np.array(view[start : start + _ROWS]) for view in rows]
        result[start + period - 1 :][: len(parts[0])] = reduce(*parts)
    return result
