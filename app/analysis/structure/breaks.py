"""Breaks of structure (BOS) and changes of character (CHoCH).

A close beyond the newest swing is a break. In the direction of the last break it is a
BOS, the trend going on; against it a CHoCH, the first sign of a turn. A wick beyond is
none: it is a sweep (see `liquidity`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import numpy as np

from app.analysis.finding import Finding
from app.analysis._crossing import IntArray, first_bars_beyond
from app.analysis._views import both_views, find_times_of, times_of
from app.analysis.structure.swings import SWING_LENGTH, SwingBars, swing_bars
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction


class BreakKind(str, Enum):
    """What a break says of the trend; values are stored in snapshots."""

    BOS = "bos"
    CHOCH = "choch"


@dataclass(frozen=True, kw_only=True)
class StructureBreak(Finding):
    """A close beyond a swing, known at that close.

    `level` is the swing's price and `swing_at` its bar. `reversed_at` is the next break
    in the other direction: until then, this break's direction is the trend.
    """

    kind: BreakKind
    direction: Direction
    level: float
    swing_at: datetime
    reversed_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BreakBars:
    """All breaks of a window in ascending order; arrays of shape (breaks,).

    `bars` closed beyond the swings at the bars `swings`; `signs` is 1 for up and -1 for
    down, `levels` are the swings' prices of the market.
    """

    bars: IntArray
    swings: IntArray
    signs: IntArray
    levels: FloatArray
    is_choch: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def reversals(self, bars: int) -> IntArray:
        """The bar of the next break in the other direction, `bars` where none."""
        reversed_at = np.full(len(self.bars), bars, dtype=np.int64)
        turns = np.flatnonzero(self.is_choch)
        nearest = np.searchsorted(turns, np.arange(len(self.bars)), "right")
        has_turn = nearest < len(turns)
        reversed_at[has_turn] = self.bars[turns[nearest[has_turn]]]
        return reversed_at


def break_bars(highs: SwingBars, lows: SwingBars) -> BreakBars:
    """Breaks of the swings: each swing is watched until a newer one is confirmed."""
    up, broken_highs = first_bars_beyond(
        highs.view.close, highs.levels, highs.confirmed
    )
    down, broken_lows = first_bars_beyond(lows.view.close, lows.levels, lows.confirmed)
    bars = np.concatenate((up, down))
    order = np.argsort(bars, kind="stable")
    signs = np.repeat(np.array([1, -1]), (len(up), len(down)))[order]
    swings = np.concatenate((highs.bars[broken_highs], lows.bars[broken_lows]))[order]
    levels = np.concatenate((highs.levels[broken_highs], -lows.levels[broken_lows]))
    is_choch = np.zeros(len(bars), dtype=bool)
    is_choch[1:] = signs[1:] != signs[:-1]
    return BreakBars(bars[order], swings, signs, levels[order], is_choch)


def find_structure_breaks(
    window: CandleWindow, *, swing_length: int = SWING_LENGTH
) -> tuple[StructureBreak, ...]:
    """All breaks, oldest first; the first one, with no trend before it, is a BOS."""
    highs, lows = (swing_bars(view, swing_length) for view in both_views(window))
    found = break_bars(highs, lows)
    return tuple(
        StructureBreak(
            happened_at=broken_at,
            confirmed_at=broken_at,
            kind=BreakKind.CHOCH if is_choch else BreakKind.BOS,
            direction=Direction.BULLISH if sign > 0 else Direction.BEARISH,
            level=level,
            swing_at=swing_at,
            reversed_at=reversed_at,
        )
        for broken_at, swing_at, sign, level, is_choch, reversed_at in zip(
            times_of(window, found.bars),
            times_of(window, found.swings),
            found.signs.tolist(),
            found.levels.tolist(),
            found.is_choch.tolist(),
            find_times_of(window, found.reversals(len(window))),
            strict=True,
        )
    )
