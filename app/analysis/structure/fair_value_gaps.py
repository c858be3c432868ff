"""Fair value gaps: prices that three consecutive bars left untraded.

The middle bar moves so far that the bars on either side do not overlap. It is knowable
at the close of the third bar, one after the bar it is dated at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.analysis.finding import Finding
from app.analysis._crossing import IntArray, first_above
from app.analysis._views import (
    View,
    average_true_range,
    both_views,
    consecutive,
    find_times_of,
    times_of,
)
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction


@dataclass(frozen=True, kw_only=True)
class FairValueGap(Finding):
    """Prices between the first and the third of three bars, dated at the middle one.

    `size` is its height in price, `size_atr` in ATRs of the confirming bar (None while
    that warms up or is zero). `overlap` is the share, in [0, 1], of its height that the
    gap before it in the same direction covers and had not been filled by then. Life:
    `touched_at` the first bar to trade in it, `half_filled_at` to its middle,
    `filled_at` through all of it, `inverted_at` the first to close beyond it.
    """

    direction: Direction
    top: float
    bottom: float
    size: float
    size_atr: float | None
    overlap: float
    touched_at: datetime | None = None
    half_filled_at: datetime | None = None
    filled_at: datetime | None = None
    inverted_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GapBars:
    """Gaps of one view, ascending; arrays of shape (gaps,).

    `near` and `far` are the sides in prices of the view: price comes back to the near
    one first.
    """

    view: View
    bars: IntArray
    near: FloatArray
    far: FloatArray

    @property
    def confirmed(self) -> IntArray:
        """Bars whose close made each gap known."""
        return self.bars + 1


Consecutive = np.ndarray[tuple[int], np.dtype[np.bool_]]


def gap_bars(view: View, is_consecutive: Consecutive) -> GapBars:
    """Upward gaps of the view whose three bars follow one another on the grid."""
    is_gap = (
        (view.high[:-2] < view.low[2:])
        & (view.close[1:-1] > view.open[1:-1])
        & is_consecutive[1:-1]
        & is_consecutive[2:]
    )
    bars = is_gap.nonzero()[0] + 1
    return GapBars(view, bars, view.low[bars + 1], view.high[bars - 1])


def find_fair_value_gaps(window: CandleWindow) -> tuple[FairValueGap, ...]:
    """All gaps, in the order in which they happened."""
    if len(window) < 3:
        return ()
    is_consecutive, atr = consecutive(window), average_true_range(window)
    gaps = [
        gap
        for view in both_views(window)
        for gap in _gaps(window, gap_bars(view, is_consecutive), atr)
    ]
    return tuple(sorted(gaps, key=lambda gap: gap.happened_at))


def _overlaps(gaps: GapBars, filled: IntArray) -> FloatArray:
    overlap = np.zeros(len(gaps.bars))
    near, far = gaps.near, gaps.far
    shared = np.minimum(near[1:], near[:-1]) - np.maximum(far[1:], far[:-1])
    was_open = filled[:-1] > gaps.confirmed[1:]
    share = np.clip(shared / (near[1:] - far[1:]), 0.0, 1.0)
    overlap[1:] = np.where(was_open, share, 0.0)
    return overlap


def _gaps(window: CandleWindow, gaps: GapBars, atr: FloatArray) -> list[FairValueGap]:
    view = gaps.view
    sides = np.sort(np.stack((gaps.near, gaps.far)) * view.sign, axis=0)
    middle = gaps.near / 2 + gaps.far / 2
    touched = first_above(-view.low, -gaps.near, gaps.confirmed, or_at=True)
    half_filled = first_above(-view.low, -middle, gaps.confirmed, or_at=True)
    filled = first_above(-view.low, -gaps.far, gaps.confirmed, or_at=True)
    inverted = first_above(-view.close, -gaps.far, gaps.confirmed)
    return [
        FairValueGap(
            happened_at=happened_at,
            confirmed_at=confirmed_at,
            direction=view.direction,
            top=top,
            bottom=bottom,
            size=top - bottom,
            size_atr=(top - bottom) / range_ if range_ > 0 else None,
            overlap=overlap,
            touched_at=touched_at,
            half_filled_at=half_filled_at,
            filled_at=filled_at,
            inverted_at=inverted_at,
        )
        for (
            happened_at,
            confirmed_at,
            bottom,
            top,
            range_,
            overlap,
            touched_at,
            half_filled_at,
            filled_at,
            inverted_at,
        ) in zip(
            times_of(window, gaps.bars),
            times_of(window, gaps.confirmed),
            *sides.tolist(),
            atr[gaps.confirmed].tolist(),
            _overlaps(gaps, filled).tolist(),
            find_times_of(window, touched),
            find_times_of(window, half_filled),
            find_times_of(window, filled),
            find_times_of(window, inverted),
            strict=True,
        )
    ]
