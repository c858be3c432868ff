"""The structure of a market at its last bar, small enough to store at every snapshot.

Evaluated on exactly the last `STRUCTURE_BARS` bars (on all, where there are fewer), so
that live, replay and data-set builds agree whatever history each of them holds.
"""

from __future__ import annotations

from app.analysis._crossing import IntArray, highest_from
from app.analysis._views import (
    View,
    average_true_range,
    both_views,
    consecutive,
    time_of,
)
from app.analysis.structure.breaks import BreakBars, BreakKind, break_bars
from app.analysis.structure.dealing_range import range_since
from app.analysis.structure.fair_value_gaps import GapBars, gap_bars
from app.analysis.structure.liquidity import PoolBars, pool_bars
from app.analysis.structure.order_blocks import BlockBars, block_bars
from app.analysis.structure.state_parts import (
    BlockState,
    BreakState,
    GapState,
    PoolState,
    SideState,
    StructureState,
    SwingState,
)
from app.analysis.structure.swings import (
    SWING_LENGTH,
    SwingBars,
    label_of,
    swing_bars,
)
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction

STRUCTURE_BARS = 500


def structure_state(
    window: CandleWindow, *, swing_length: int = SWING_LENGTH
) -> StructureState:
    """Structure at the last bar, read from the last `STRUCTURE_BARS` bars.

    A part that is not there (no break yet, no open gap) is None, or 0 where it is a
    count; `bars` and `missing_bars` tell what it was read from.
    """
    window = window.last(STRUCTURE_BARS)
    views = both_views(window)
    highs, lows = (swing_bars(view, swing_length) for view in views)
    breaks = break_bars(highs, lows)
    atr, is_consecutive = average_true_range(window), consecutive(window)
    sides = [
        _side(
            window,
            swings,
            block_bars(swings.view, breaks),
            gap_bars(swings.view, is_consecutive),
            # Stops below equal lows are the pools that lie below the market.
            pool_bars(swings, atr),
        )
        for swings in (highs, lows)
    ]
    return StructureState(
        bars=len(window),
        missing_bars=window.missing_bars,
        trend=_direction(breaks.signs[-1]) if len(breaks.bars) else None,
        last_bos=_last_break(window, breaks, BreakKind.BOS),
        last_choch=_last_break(window, breaks, BreakKind.CHOCH),
        bullish=sides[0],
        bearish=sides[1],
        dealing_range=range_since(highs, lows),
    )


def _side(
    window: CandleWindow,
    swings: SwingBars,
    blocks: BlockBars,
    gaps: GapBars,
    pools: PoolBars,
) -> SideState:
    # Lowest prices since, in the view: price comes back to its zones from above.
    view = swings.view
    lows = -highest_from(-view.low)
    back = lows[blocks.confirmed + 1]
    (whole,) = (back > blocks.middle).nonzero()
    (still_open,) = (lows[gaps.confirmed + 1] > gaps.far).nonzero()
    highs = highest_from(view.high)
    (unswept,) = (highs[pools.confirmed + 1] <= pools.levels).nonzero()
    return SideState(
        swing=_last_swing(window, swings),
        order_blocks=len(whole),
        order_block=_nearest_block(window, blocks, whole, back),
        open_gaps=len(still_open),
        gap=_nearest_gap(window, gaps, still_open, lows),
        pools=len(unswept),
        pool=_nearest_pool(window, pools, unswept),
    )


def _direction(sign: int) -> Direction:
    return Direction.BULLISH if sign > 0 else Direction.BEARISH


def _last_break(
    window: CandleWindow, breaks: BreakBars, kind: BreakKind
) -> BreakState | None:
    (of_kind,) = (breaks.is_choch == (kind is BreakKind.CHOCH)).nonzero()
    if not len(of_kind):
        return None
    last = int(of_kind[-1])
    bar = int(breaks.bars[last])
    return BreakState(
        direction=_direction(breaks.signs[last]),
        level=float(breaks.levels[last]),
        broken_at=time_of(window, bar),
        bars_ago=len(window) - 1 - bar,
    )


def _last_swing(window: CandleWindow, swings: SwingBars) -> SwingState | None:
    levels, direction = swings.levels, swings.view.direction
    if not len(levels):
        return None
    bar = int(swings.bars[-1])
    is_first = len(levels) == 1
    return SwingState(
        price=float(levels[-1]) * swings.view.sign,
        label=None if is_first else label_of(direction, float(levels[-1] - levels[-2])),
        happened_at=time_of(window, bar),
        bars_ago=len(window) - 1 - bar,
    )


def _nearest_block(
    window: CandleWindow, blocks: BlockBars, whole: IntArray, back: FloatArray
) -> BlockState | None:
    if not len(whole):
        return None
    best = int(whole[blocks.near[whole].argmax()])
    confirmed = int(blocks.confirmed[best])
    top, bottom = _sides(blocks.view, blocks.near[best], blocks.far[best])
    return BlockState(
        top=top,
        bottom=bottom,
        confirmed_at=time_of(window, confirmed),
        bars_ago=len(window) - 1 - confirmed,
        is_fresh=bool(back[best] > blocks.near[best]),
    )


def _nearest_gap(
    window: CandleWindow, gaps: GapBars, open_gaps: IntArray, lows: FloatArray
) -> GapState | None:
    if not len(open_gaps):
        return None
    best = int(open_gaps[gaps.far[open_gaps].argmax()])
    confirmed = int(gaps.confirmed[best])
    near, far = float(gaps.near[best]), float(gaps.far[best])
    lowest = min(float(lows[confirmed + 1]), near)
    top, bottom = _sides(gaps.view, near, far)
    return GapState(
        top=top,
        bottom=bottom,
        confirmed_at=time_of(window, confirmed),
        bars_ago=len(window) - 1 - confirmed,
        filled=min(1.0, max(0.0, (near - lowest) / (near - far))),
    )


def _nearest_pool(
    window: CandleWindow, pools: PoolBars, unswept: IntArray
) -> PoolState | None:
    if not len(unswept):
        return None
    best = int(unswept[pools.levels[unswept].argmin()])
    confirmed = int(pools.confirmed[best])
    return PoolState(
        level=float(pools.levels[best]) * pools.swings.view.sign,
        swings=len(pools.members[best]),
        confirmed_at=time_of(window, confirmed),
        bars_ago=len(window) - 1 - confirmed,
    )


def _sides(view: View, near: float, far: float) -> tuple[float, float]:
    first, second = float(near) * view.sign, float(far) * view.sign
    return (first, second) if first > second else (second, first)
