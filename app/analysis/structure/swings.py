"""Swing highs and lows, and whether they rise or fall.

A swing is the extreme of the bars around it, so it is knowable only `swing_length` bars
after it happened (the fractals of Bill Williams, "Trading Chaos", are the case of 2).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import numpy as np
import talib

from app.analysis.finding import Finding
from app.analysis._crossing import IntArray, first_above
from app.analysis._views import View, both_views, find_times_of, times_of
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction

SWING_LENGTH = 5
# Without the wrapper that looks for pandas.
_MAX = inspect.unwrap(talib.MAX)


class SwingKind(str, Enum):
    """Which extreme a swing is."""

    HIGH = "high"
    LOW = "low"


class SwingLabel(str, Enum):
    """A swing against the one before it of its kind."""

    HIGHER_HIGH = "HH"
    LOWER_HIGH = "LH"
    EQUAL_HIGH = "EQH"
    HIGHER_LOW = "HL"
    LOWER_LOW = "LL"
    EQUAL_LOW = "EQL"


@dataclass(frozen=True, kw_only=True)
class SwingPoint(Finding):
    """A high or low that stood out from the bars around it.

    `label` is None for the first of its kind. `superseded_at` is when a more extreme
    swing of the same leg (no swing of the other kind between) was confirmed, or its own
    confirmation where the leg already had a more extreme one: without it, the swing is
    a turning point of the market's zigzag. `swept_at` is the first bar to trade beyond
    it after its confirmation, `broken_at` the first to close beyond.
    """

    kind: SwingKind
    price: float
    label: SwingLabel | None
    superseded_at: datetime | None = None
    swept_at: datetime | None = None
    broken_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SwingBars:
    """Where a view's swing highs are: bars, and the bars that confirmed them.

    Arrays of shape (swings,), ascending; `levels` are prices of the view.
    """

    view: View
    bars: IntArray
    confirmed: IntArray
    levels: FloatArray


def swing_bars(
    view: View, swing_length: int = SWING_LENGTH, bars_before: int | None = None
) -> SwingBars:
    """Swing highs of the view.

    A high counts where none of the `bars_before` (`swing_length` unless told) highs
    before it and of the `swing_length` after it is above it; of equal ones that near,
    the first is the swing. Raises ValueError for a length under 1.
    """
    before = swing_length if bars_before is None else bars_before
    if swing_length < 1 or before < 1:
        raise ValueError(
            f"swing length {swing_length} and bars before {before} must be at least 1"
        )
    high, end = view.high, len(view.high) - swing_length
    bars = np.empty(0, dtype=np.int64)
    if before < end:
        highest_before = _rolling_max(high, before)[before - 1 : end - 1]
        highest_after = _rolling_max(high, swing_length)[before + swing_length :]
        centre = high[before:end]
        is_extreme = (centre >= highest_before) & (centre >= highest_after)
        bars = is_extreme.nonzero()[0] + before
        # Extremes that near can only be equal, and a plateau is one swing.
        is_first = np.ones(len(bars), dtype=bool)
        is_first[1:] = bars[1:] - bars[:-1] > before
        bars = bars[is_first]
    return SwingBars(view, bars, bars + swing_length, high[bars])


def find_swings(
    window: CandleWindow,
    *,
    swing_length: int = SWING_LENGTH,
    bars_before: int | None = None,
) -> tuple[SwingPoint, ...]:
    """All swing highs and lows, in the order in which they happened."""
    highs, lows = (
        swing_bars(view, swing_length, bars_before) for view in both_views(window)
    )
    superseded = _superseded(highs, lows)
    points = [
        *_points(window, highs, superseded[: len(highs.bars)]),
        *_points(window, lows, superseded[len(highs.bars) :]),
    ]
    return tuple(sorted(points, key=lambda point: (point.happened_at, point.kind)))


def label_of(direction: Direction, step: float) -> SwingLabel:
    """The label of a swing `step` further in `direction` than the one before it."""
    labels = _HIGH_LABELS if direction is Direction.BULLISH else _LOW_LABELS
    return labels[(step > 0) - (step < 0)]


# By whether the swing went further in its own direction: a further low is a lower low.
_HIGH_LABELS = {
    1: SwingLabel.HIGHER_HIGH,
    0: SwingLabel.EQUAL_HIGH,
    -1: SwingLabel.LOWER_HIGH,
}
_LOW_LABELS = {
    1: SwingLabel.LOWER_LOW,
    0: SwingLabel.EQUAL_LOW,
    -1: SwingLabel.HIGHER_LOW,
}


def _rolling_max(values: FloatArray, bars: int) -> FloatArray:
    if bars == 1:
        return values
    highest: FloatArray = _MAX(values, bars)
    return highest


def _superseded(highs: SwingBars, lows: SwingBars) -> IntArray:
    """The bar at which each swing (highs, then lows) stopped being its leg's extreme.

    The largest integer where it still is.
    """
    bars = np.concatenate((highs.bars, lows.bars))
    confirmed = np.concatenate((highs.confirmed, lows.confirmed))
    levels = np.concatenate((highs.levels, lows.levels))
    is_low = np.arange(len(bars)) >= len(highs.bars)
    ended = np.full(len(bars), np.iinfo(np.int64).max)
    extreme = -1
    for item in np.lexsort((is_low, bars)).tolist():
        if extreme < 0 or is_low[item] != is_low[extreme]:
            extreme = item
        elif levels[item] > levels[extreme]:
            ended[extreme] = confirmed[item]
            extreme = item
        else:
            ended[item] = confirmed[item]
    return ended


def _points(
    window: CandleWindow, swings: SwingBars, superseded: IntArray
) -> list[SwingPoint]:
    view, levels = swings.view, swings.levels
    is_high = view.direction is Direction.BULLISH
    steps = np.diff(levels).tolist()
    labels = [None, *(label_of(view.direction, step) for step in steps)]
    swept = first_above(view.high, levels, swings.confirmed)
    broken = first_above(view.close, levels, swings.confirmed)
    return [
        SwingPoint(
            happened_at=happened_at,
            confirmed_at=confirmed_at,
            kind=SwingKind.HIGH if is_high else SwingKind.LOW,
            price=price,
            label=label,
            superseded_at=superseded_at,
            swept_at=swept_at,
            broken_at=broken_at,
        )
        for (
            happened_at,
            confirmed_at,
            price,
            label,
            superseded_at,
            swept_at,
            broken_at,
        ) in zip(
            times_of(window, swings.bars),
            times_of(window, swings.confirmed),
            (levels * view.sign).tolist(),
            labels,
            find_times_of(window, superseded),
            find_times_of(window, swept),
            find_times_of(window, broken),
        )
    ]
