"""Functions of the last few values, at every value.

Each row is summed by itself, never by adding the newest and subtracting the oldest:
running sums carry the rounding of long gone large values along, and their result
depends on where the series began.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.analysis.window import FloatArray

# Rows copied at a time, so that a million bars do not become a matrix in memory.
_ROWS = 4096


def rows_of(values: FloatArray, period: int) -> FloatArray:
    """The `period` values that end at each one from the `period`-th on, as a view.

    Shape (values - period + 1, period), oldest value first, not to be written to.
    numpy's `sliding_window_view` is the same, but takes longer than the few rows that a
    window's last bar needs.
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    shape, step = (len(values) - period + 1, period), values.itemsize
    rows: FloatArray = np.ndarray(shape, np.float64, values, strides=(step, step))
    rows.setflags(write=False)
    return rows


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
    rows = rows_of(values, period)
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
    rows = [rows_of(values, period) for values in (first, second)]
    for start in range(0, len(rows[0]), _ROWS):
        parts = [np.array(view[start : start + _ROWS]) for view in rows]
        result[start + period - 1 :][: len(parts[0])] = reduce(*parts)
    return result
