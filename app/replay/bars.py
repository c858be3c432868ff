"""Bars as integer rows: exact sums, exact extremes, exact text.

A row is `(open_ms, open, high, low, close, volume, quote_volume, trades,
taker_base, taker_quote)`. Prices count ticks, volumes count lots and quote volumes
count ticks times lots, so that a higher bar equals the aggregate of its lower ones
to the last digit; the listing holds the decimals that turn them into text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.domain.timeframe import Timeframe
from app.replay import grid

Rows = NDArray[np.int64]

OPEN_MS, OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3, 4
VOLUME, QUOTE_VOLUME, TRADES, TAKER_BASE, TAKER_QUOTE = 5, 6, 7, 8, 9
COLUMNS = 10

# The price visits its two extremes at these parts of a bar.
_FIRST_TURN, _SECOND_TURN = 0.3, 0.7


def no_rows() -> Rows:
    """Zero bars."""
    return np.empty((0, COLUMNS), dtype=np.int64)


def aggregate(rows: Rows, timeframe: Timeframe) -> Rows:
    """Bars of `timeframe` from ascending lower `rows`, one a non-empty bucket."""
    if not len(rows):
        return rows
    buckets = grid.floor_all(rows[:, OPEN_MS], timeframe)
    starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    merged = np.empty((len(starts), COLUMNS), dtype=np.int64)
    merged[:, OPEN_MS] = buckets[starts]
    merged[:, OPEN] = rows[starts, OPEN]
    merged[:, HIGH] = np.maximum.reduceat(rows[:, HIGH], starts)
    merged[:, LOW] = np.minimum.reduceat(rows[:, LOW], starts)
    merged[:, CLOSE] = rows[np.append(starts[1:], len(rows)) - 1, CLOSE]
    merged[:, VOLUME:] = np.add.reduceat(rows[:, VOLUME:], starts, axis=0)
    return merged


def turning_points(row: Rows) -> tuple[tuple[float, int], ...]:
    """The price path inside one bar: (part of the bar, price) at its four corners.

    A rising bar dips first, a falling one spikes first.
    """
    opened, high, low, close = (int(row[i]) for i in (OPEN, HIGH, LOW, CLOSE))
    first, second = (low, high) if close >= opened else (high, low)
    return (
        (0.0, opened),
        (_FIRST_TURN, first),
        (_SECOND_TURN, second),
        (1.0, close),
    )


def price_at(row: Rows, part: float) -> int:
    """Price at `part` (0 to 1) of the bar, on the path of `turning_points`."""
    points = turning_points(row)
    for (left, before), (right, after) in zip(points, points[1:]):
        if part <= right:
            return round(before + (after - before) * (part - left) / (right - left))
    return points[-1][1]


def unfinished(row: Rows, elapsed_ms: int, duration_ms: int) -> Rows:
    """The bar as it stood `elapsed_ms` after its open.

    Extremes and volumes only grow, stay within the final bar's and reach them at
    its close. A bar whose first trade has not come yet is flat at its open.
    """
    if elapsed_ms >= duration_ms:
        return row
    seen = row.copy()
    for column in range(VOLUME, COLUMNS):
        seen[column] = int(row[column]) * max(0, elapsed_ms) // duration_ms
    if not seen[VOLUME]:
        seen[HIGH:VOLUME] = row[OPEN]
        seen[VOLUME:] = 0
        return seen
    seen[TRADES] = max(1, int(seen[TRADES]))
    part = elapsed_ms / duration_ms
    last = price_at(row, part)
    visited = [price for at, price in turning_points(row) if at <= part] + [last]
    seen[HIGH], seen[LOW], seen[CLOSE] = max(visited), min(visited), last
    return seen
