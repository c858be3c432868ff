"""Order blocks: the last candle against a move that broke structure.

The zone is that candle's range. It becomes known at the close that broke the swing, not
at the candle itself, and stays listed after price has gone through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.analysis.finding import Finding
from app.analysis.structure.breaks import BreakBars, break_bars
from app.analysis._crossing import IntArray, first_above
from app.analysis._views import (
    View,
    average_true_range,
    both_views,
    find_times_of,
    times_of,
)
from app.analysis.structure.swings import SWING_LENGTH, swing_bars
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction


@dataclass(frozen=True, kw_only=True)
class OrderBlock(Finding):
    """Range of the last candle against a move that closed beyond a swing.

    `top` and `bottom` are prices, `volume` what traded in the candle. `displacement` is
    how far the breaking close was from the zone, in ATRs of that bar; None while the
    ATR warms up or is zero. Life: `touched_at` the first bar to trade in the zone again
    (until then the block is fresh), `mitigated_at` the first to trade through half of
    it, `invalidated_at` the first to close beyond its far side.
    """

    direction: Direction
    top: float
    bottom: float
    volume: float
    displacement: float | None
    touched_at: datetime | None = None
    mitigated_at: datetime | None = None
    invalidated_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BlockBars:
    """Order blocks of one view, oldest confirmation first; arrays of shape (blocks,).

    `near` and `far` are the zone's sides in prices of the view: price comes back to the
    near side first.
    """

    view: View
    bars: IntArray
    confirmed: IntArray
    near: FloatArray
    far: FloatArray

    @property
    def middle(self) -> FloatArray:
        """Price that mitigates the block."""
        return self.near / 2 + self.far / 2


def block_bars(view: View, breaks: BreakBars) -> BlockBars:
    """Blocks behind the view's upward breaks, each candle once."""
    is_ours = breaks.signs == view.sign
    bars, confirmed = _last_candles_against(
        view, breaks.swings[is_ours], breaks.bars[is_ours]
    )
    return BlockBars(view, bars, confirmed, view.high[bars], view.low[bars])


def find_order_blocks(
    window: CandleWindow, *, swing_length: int = SWING_LENGTH
) -> tuple[OrderBlock, ...]:
    """All order blocks, in the order in which they became known."""
    views = both_views(window)
    breaks = break_bars(*(swing_bars(view, swing_length) for view in views))
    atr = average_true_range(window)
    blocks = [block for view in views for block in _blocks(window, view, breaks, atr)]
    return tuple(sorted(blocks, key=lambda block: block.confirmed_at))


def _last_candles_against(
    view: View, swings: IntArray, breaks: IntArray
) -> tuple[IntArray, IntArray]:
    """The candle each move began from, and the break that made it known.

    A move begins at the lowest low between swing and break; its candle is the last one
    there or before (not before the swing) that closed down, else the lowest itself.
    """
    low, closed_down = view.low, view.close < view.open
    # Two swings broken by one move share its candle: the first break made it known.
    known: dict[int, int] = {}
    for start, stop in zip(swings.tolist(), breaks.tolist(), strict=True):
        lowest = candle = start + int(low[start : stop + 1].argmin())
        while candle >= start and not closed_down[candle]:
            candle -= 1
        known.setdefault(candle if candle >= start else lowest, stop)
    count = len(known)
    return (
        np.fromiter(known.keys(), dtype=np.int64, count=count),
        np.fromiter(known.values(), dtype=np.int64, count=count),
    )


def _blocks(
    window: CandleWindow, view: View, breaks: BreakBars, atr: FloatArray
) -> list[OrderBlock]:
    found = block_bars(view, breaks)
    sides = np.sort(np.stack((found.near, found.far)) * view.sign, axis=0)
    moved = view.close[found.confirmed] - found.near
    # Price comes back from above, so these are crossings of the mirrored lows.
    down, at = -view.low, found.confirmed
    touched = first_above(down, -found.near, at, or_at=True)
    mitigated = first_above(down, -found.middle, at, or_at=True)
    invalidated = first_above(-view.close, -found.far, at)
    return [
        OrderBlock(
            happened_at=happened_at,
            confirmed_at=confirmed_at,
            direction=view.direction,
            top=top,
            bottom=bottom,
            volume=volume,
            displacement=distance / range_ if range_ > 0 else None,
            touched_at=touched_at,
            mitigated_at=mitigated_at,
            invalidated_at=invalidated_at,
        )
        for (
            happened_at,
            confirmed_at,
            bottom,
            top,
            volume,
            distance,
            range_,
            touched_at,
            mitigated_at,
            invalidated_at,
        ) in zip(
            times_of(window, found.bars),
            times_of(window, found.confirmed),
            *sides.tolist(),
            window.volume[found.bars].tolist(),
            moved.tolist(),
            atr[found.confirmed].tolist(),
            find_times_of(window, touched),
            find_times_of(window, mitigated),
            find_times_of(window, invalidated),
            strict=True,
        )
    ]
