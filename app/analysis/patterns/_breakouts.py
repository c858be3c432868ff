"""Closes beyond a tight range, and beyond a trend line through two swings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import talib

from app.analysis._crossing import IntArray
from app.analysis._views import View, both_views
from app.analysis.patterns._hits import NO_HITS, Hits
from app.analysis.structure.swings import SWING_LENGTH, SwingBars, swing_bars
from app.analysis.window import CandleWindow, FloatArray

BREAKOUTS = ("range_breakout", "trend_line_breakout")

# So many bars no higher together than so many of their true ranges are a range. A
# random walk's 20 bars are some 4.5 of them high.
RANGE_BARS = 20
RANGE_HEIGHT = 5.0
# A trend line is followed so far from the first of its two swings.
TREND_LINE_BARS = 100


@dataclass(frozen=True, slots=True, eq=False)
class BreakoutHits:
    """Breakouts and the prices they broke, shape (hits,)."""

    hits: Hits
    levels: FloatArray


def breakout_hits(
    window: CandleWindow, usual: FloatArray, since: int, first_kind: int
) -> BreakoutHits:
    """Breakouts at the bars from place `since` on, ranges first.

    Graded by how far the close is beyond the level, as a part of that distance and the
    mean true range (`usual`, at each bar) together; 0 while that warms up.
    """
    parts = [
        _hits(window, view, usual, first_kind + number, *found)
        for view in both_views(window)
        for number, found in enumerate(
            (
                _range_breaks(view, usual, since),
                _trend_line_breaks(window, view, since),
            )
        )
    ]
    return BreakoutHits(
        Hits.joined([part.hits for part in parts]),
        np.concatenate([part.levels for part in parts]),
    )


def _hits(
    window: CandleWindow,
    view: View,
    usual: FloatArray,
    kind: int,
    bars: IntArray,
    started: IntArray,
    levels: FloatArray,
) -> BreakoutHits:
    if not len(bars):
        return BreakoutHits(NO_HITS, NO_HITS.grades)
    distance = view.close[bars] - levels
    size = distance + usual[bars]
    grades = np.divide(distance, size, out=np.zeros(len(bars)), where=size > 0)
    kinds = np.full(len(bars), kind)
    signs = np.full(len(bars), view.sign)
    return BreakoutHits(
        Hits(kinds, bars, bars, started, signs, grades), levels * view.sign
    )


def _range_breaks(
    view: View, usual: FloatArray, since: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """Upward breaks of ranges: bars, the ranges' first bars, and their tops."""
    first = max(since, RANGE_BARS)
    if first >= len(view.high):
        return _none()
    start = first - RANGE_BARS
    top = talib.MAX(view.high[start:-1], RANGE_BARS)[RANGE_BARS - 1 :]
    bottom = talib.MIN(view.low[start:-1], RANGE_BARS)[RANGE_BARS - 1 :]
    is_range = top - bottom <= RANGE_HEIGHT * usual[first - 1 : -1]
    (places,) = (is_range & (view.close[first:] > top)).nonzero()
    return places + first, places + start, top[places]


def _trend_line_breaks(
    window: CandleWindow, view: View, since: int
) -> tuple[IntArray, IntArray, FloatArray]:
    """The first close above each line through the two newest swing highs, falling.

    A line is drawn over time, so a missing bar does not bend it. Answers bars, the
    lines' first swings, and the lines at those bars.
    """
    swings = swing_bars(view, SWING_LENGTH)
    if len(swings.bars) < 2 or (
        since == len(view.close) - 1 and not _is_beyond_newest_line(window, swings)
    ):
        return _none()
    age = (window.open_at - window.open_at[0]).astype(np.float64)
    earlier, later = swings.bars[:-1], swings.bars[1:]
    rise = swings.levels[1:] - swings.levels[:-1]
    slopes = rise / (age[later] - age[earlier])
    known_from = swings.confirmed[1:]
    start = int(known_from[0])
    line_of = known_from.searchsorted(np.arange(start, len(age)), "right") - 1
    run = age[start:] - age[later][line_of]
    line = swings.levels[1:][line_of] + slopes[line_of] * run
    is_near = np.arange(start, len(age)) - earlier[line_of] <= TREND_LINE_BARS
    is_drawn = (rise < 0)[line_of] & is_near & (line * view.sign > 0)
    (places,) = (is_drawn & (view.close[start:] > line)).nonzero()
    of_line = line_of[places]
    is_first = np.ones(len(places), dtype=bool)
    is_first[1:] = of_line[1:] != of_line[:-1]
    is_first &= places + start >= since
    places, of_line = places[is_first], of_line[is_first]
    return places + start, earlier[of_line], line[places]


def _is_beyond_newest_line(window: CandleWindow, swings: SwingBars) -> bool:
    """Whether the last close is above a falling line: most are told from it alone."""
    earlier, later = swings.bars[-2:].tolist()
    first, second = swings.levels[-2:].tolist()
    at = window.open_at[[earlier, later, -1]].astype(np.int64).tolist()
    slope = (second - first) / (at[1] - at[0])
    # Rounding may differ from the array's: let what is close be looked at again.
    line = second + slope * (at[2] - at[1]) - 1e-9 * abs(second)
    return bool(second < first and swings.view.close[-1] > line)


def _none() -> tuple[IntArray, IntArray, FloatArray]:
    nothing = np.empty(0, dtype=np.int64)
    return nothing, nothing, np.empty(0)
