"""Liquidity pools, where stops rest beyond equal highs or lows, and their sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import numpy as np

from app.analysis.finding import Finding, TimedValue
from app.analysis._crossing import IntArray, first_above
from app.analysis._views import (
    average_true_range,
    both_views,
    find_times_of,
    times_of,
)
from app.analysis.structure.swings import SWING_LENGTH, SwingBars, swing_bars
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction

# Highs closer than this part of the ATR are equal, and among so many swings back.
EQUAL_TOLERANCE = 0.25
SWINGS_BACK = 5


class LiquiditySide(str, Enum):
    """Whose stops rest there: buys above equal highs, sells below equal lows."""

    BUY_SIDE = "buy_side"
    SELL_SIDE = "sell_side"


@dataclass(frozen=True, kw_only=True)
class LiquidityPool(Finding):
    """Two or more swings at nearly the same price, with none beyond between them.

    Dated at the second swing and known at its confirmation. `level` is the more extreme
    of the first two; `touches` are the prices of all its swings, each dated at the bar
    that confirmed it. `swept_at` is the first bar to trade beyond the level,
    `broken_at` the first to close beyond it.
    """

    side: LiquiditySide
    level: float
    touches: tuple[TimedValue, ...]
    swept_at: datetime | None = None
    broken_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LiquiditySweep(Finding):
    """A bar that traded beyond a pool for the first time and closed back inside.

    Known at that close. `depth` is how far beyond `level` it traded, in price;
    `pool_at` the bar the pool is dated at; `failed_at` the first later bar to close
    beyond the level after all.
    """

    side: LiquiditySide
    level: float
    depth: float
    pool_at: datetime
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PoolBars:
    """Pools of one view in the order of their confirmation; arrays of shape (pools,).

    `members` holds places in the view's swings.
    """

    swings: SwingBars
    members: list[list[int]]
    levels: FloatArray
    confirmed: IntArray

    @property
    def swept(self) -> IntArray:
        """First bars beyond each level; the number of bars where there is none."""
        return first_above(self.swings.view.high, self.levels, self.confirmed)

    @property
    def broken(self) -> IntArray:
        """First closes beyond each level; the number of bars where there is none."""
        return first_above(self.swings.view.close, self.levels, self.confirmed)


def pool_bars(swings: SwingBars, atr: FloatArray) -> PoolBars:
    """Pools above the view's swing highs."""
    members, levels = _group(swings, atr)
    second = np.array([group[1] for group in members], dtype=np.int64)
    return PoolBars(swings, members, np.array(levels), swings.confirmed[second])


def find_liquidity_pools(
    window: CandleWindow, *, swing_length: int = SWING_LENGTH
) -> tuple[LiquidityPool, ...]:
    """All pools, in the order in which they became known."""
    found: list[LiquidityPool] = []
    for pools in _both_sides(window, swing_length):
        swings, sign = pools.swings, pools.swings.view.sign
        happened = times_of(window, swings.bars)
        confirmed = times_of(window, swings.confirmed)
        prices = (swings.levels * sign).tolist()
        for group, level, swept_at, broken_at in zip(
            pools.members,
            (pools.levels * sign).tolist(),
            find_times_of(window, pools.swept),
            find_times_of(window, pools.broken),
            strict=True,
        ):
            found.append(
                LiquidityPool(
                    happened_at=happened[group[1]],
                    confirmed_at=confirmed[group[1]],
                    side=_side_of(swings),
                    level=level,
                    # The first swing counts from when the pool was known.
                    touches=tuple(
                        TimedValue(confirmed[max(item, group[1])], prices[item])
                        for item in group
                    ),
                    swept_at=swept_at,
                    broken_at=broken_at,
                )
            )
    return tuple(sorted(found, key=lambda pool: (pool.confirmed_at, pool.side)))


def find_liquidity_sweeps(
    window: CandleWindow, *, swing_length: int = SWING_LENGTH
) -> tuple[LiquiditySweep, ...]:
    """All sweeps, oldest first."""
    found: list[LiquiditySweep] = []
    for pools in _both_sides(window, swing_length):
        view, bars = pools.swings.view, len(window)
        swept, broken = pools.swept, pools.broken
        is_sweep = (swept < bars) & (broken > swept)
        at = swept[is_sweep]
        levels = pools.levels[is_sweep]
        second = [group[1] for group in pools.members]
        pool_bar = pools.swings.bars[second][is_sweep]
        for swept_at, level, depth, pool_at, failed_at in zip(
            times_of(window, at),
            (levels * view.sign).tolist(),
            (view.high[at] - levels).tolist(),
            times_of(window, pool_bar),
            find_times_of(window, broken[is_sweep]),
            strict=True,
        ):
            found.append(
                LiquiditySweep(
                    happened_at=swept_at,
                    confirmed_at=swept_at,
                    side=_side_of(pools.swings),
                    level=level,
                    depth=depth,
                    pool_at=pool_at,
                    failed_at=failed_at,
                )
            )
    return tuple(sorted(found, key=lambda sweep: (sweep.happened_at, sweep.side)))


def _both_sides(window: CandleWindow, swing_length: int) -> list[PoolBars]:
    atr = average_true_range(window)
    views = both_views(window)
    return [pool_bars(swing_bars(view, swing_length), atr) for view in views]


def _side_of(swings: SwingBars) -> LiquiditySide:
    is_up = swings.view.direction is Direction.BULLISH
    return LiquiditySide.BUY_SIDE if is_up else LiquiditySide.SELL_SIDE


def _group(swings: SwingBars, atr: FloatArray) -> tuple[list[list[int]], list[float]]:
    """Swings of each pool by place, and the pools' levels.

    A plain loop: swings are few, and most end it at the first one back.
    """
    if not len(swings.bars):
        return [], []
    prices = swings.levels.tolist()
    tolerances = (EQUAL_TOLERANCE * atr[swings.confirmed]).tolist()
    # Highest high from each swing to the bar before the next one.
    highest = np.maximum.reduceat(swings.view.high, swings.bars).tolist()
    members: list[list[int]] = []
    levels: list[float] = []
    pool_of: dict[int, int] = {}
    for item, (price, tolerance) in enumerate(zip(prices, tolerances, strict=True)):
        partner = _equal_before(item, price, tolerance, prices, highest)
        if partner is None:
            continue
        pool = pool_of.get(partner)
        # A swing beyond the level has swept that pool: it starts another.
        if pool is None or price > levels[pool]:
            pool = len(members)
            members.append([partner, item])
            levels.append(max(prices[partner], price))
        else:
            members[pool].append(item)
        pool_of[item] = pool
    return members, levels


def _equal_before(
    item: int,
    price: float,
    tolerance: float,
    prices: list[float],
    highest: list[float],
) -> int | None:
    """The nearest earlier swing this one equals, with no high beyond both between."""
    between = -np.inf
    for other in range(item - 1, max(item - 1 - SWINGS_BACK, -1), -1):
        between = max(between, highest[other])
        if between > price + tolerance:
            return None
        is_equal = abs(price - prices[other]) <= tolerance
        if is_equal and between <= max(price, prices[other]):
            return other
    return None
