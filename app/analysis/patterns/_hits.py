"""Occurrences of patterns as arrays, before they become objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import talib

from app.analysis._crossing import IntArray
from app.analysis._views import consecutive
from app.analysis.window import CandleWindow, FloatArray

TRUE_RANGE_BARS = 14


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Patterns found; arrays of shape (hits,).

    `kinds` are places in `PATTERN_NAMES`; `bars` made each known, `happened` is the bar
    it is dated at, `started` its first one. `signs` is 1, -1 or 0; `grades` in [0, 1]
    tells how well formed it is.
    """

    kinds: IntArray
    bars: IntArray
    happened: IntArray
    started: IntArray
    signs: IntArray
    grades: FloatArray

    def where(self, is_kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Hits:
        """The hits whose place is True."""
        return Hits(*(column[is_kept] for column in self._columns()))

    def in_order(self) -> Hits:
        """By the bar that made them known, then by name."""
        order = np.lexsort((self.kinds, self.bars))
        return Hits(*(column[order] for column in self._columns()))

    def later(self, bars: int) -> Hits:
        """The same hits in a window that starts so many bars earlier."""
        if not bars:
            return self
        return replace(
            self,
            bars=self.bars + bars,
            happened=self.happened + bars,
            started=self.started + bars,
        )

    @staticmethod
    def joined(parts: Sequence[Hits]) -> Hits:
        """All hits of all parts."""
        parts = [part for part in parts if len(part.bars)] or [parts[0]]
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part._columns() for part in parts), strict=True)
        return Hits(*(np.concatenate(column) for column in columns))

    def _columns(self) -> tuple[np.ndarray[tuple[int], np.dtype], ...]:
        return (
            self.kinds,
            self.bars,
            self.happened,
            self.started,
            self.signs,
            self.grades,
        )


_NO_BARS = np.empty(0, dtype=np.int64)
NO_HITS = Hits(_NO_BARS, _NO_BARS, _NO_BARS, _NO_BARS, _NO_BARS, np.empty(0))


def mean_true_range(window: CandleWindow) -> FloatArray:
    """Mean of the last 14 true ranges, shape (bars,); NaN on the first 14.

    Wilder's average never forgets; this one reads the same on any longer window.
    """
    mean = np.full(len(window), np.nan)
    if len(window) > TRUE_RANGE_BARS:
        ranges = talib.TRANGE(window.high, window.low, window.close)[1:]
        firsts = np.arange(len(ranges) - TRUE_RANGE_BARS + 1)
        rows = ranges[firsts[:, None] + np.arange(TRUE_RANGE_BARS)]
        mean[TRUE_RANGE_BARS:] = rows.sum(axis=1) / TRUE_RANGE_BARS
    return mean


def without_holes(window: CandleWindow, hits: Hits) -> Hits:
    """The hits from whose first bar to the last none is missing."""
    places = np.arange(len(window))
    # The newest bar, at each one, before which a bar is missing.
    after_hole = np.maximum.accumulate(np.where(consecutive(window), 0, places))
    return hits.where(after_hole[hits.bars] <= hits.started)


def confidences(
    window: CandleWindow, hits: Hits, usual: FloatArray
) -> tuple[Hits, FloatArray]:
    """The hits that have any height, and the confidence of each; NaN while unknown.

    `usual` is the mean true range at each bar.
    """
    if not len(hits.bars):
        return hits, np.empty(0)
    longest = int((hits.bars - hits.started).max()) + 1
    reach = hits.bars[:, None] - np.arange(longest)
    # Bars before the pattern stand in for nothing: its first one is repeated.
    np.maximum(reach, hits.started[:, None], out=reach)
    height = window.high[reach].max(axis=1) - window.low[reach].min(axis=1)
    is_there = height > 0
    hits, height = hits.where(is_there), height[is_there]
    return hits, hits.grades * (height / (height + usual[hits.bars]))
