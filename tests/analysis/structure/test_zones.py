"""Order blocks, gaps and liquidity through their life, on markets drawn by hand."""

from __future__ import annotations

import pytest

from app.analysis.finding import TimedValue
from app.analysis.structure.fair_value_gaps import find_fair_value_gaps
from app.analysis.structure.liquidity import (
    LiquiditySide,
    find_liquidity_pools,
    find_liquidity_sweeps,
)
from app.analysis.structure.order_blocks import find_order_blocks
from app.domain.direction import Direction
from tests.analysis.structure.bars import bar, drawn, upside_down, zigzag

MARKET = zigzag(100, 110, 104, 114, 108, 112, 100, 106)


def test_an_order_block_is_known_at_the_break_and_outlives_its_failure() -> None:
    block, above = find_order_blocks(MARKET, swing_length=3)

    # The last candle down (105 to 104) before the rise that broke 110.25 at bar 22.
    assert (block.happened_at, block.confirmed_at) == (bar(15), bar(22))
    assert (block.direction, block.top, block.bottom) == (
        Direction.BULLISH,
        105.25,
        103.75,
    )
    # Every true range is 1.5; the close of 111 is 5.75 above the zone.
    assert block.displacement == pytest.approx(5.75 / 1.5)
    assert block.volume == 16.0
    # Lows go 105.75, 104.75, 103.75: into the zone and through its half, 104.5; the
    # close of 103 is the first below it.
    assert (block.touched_at, block.mitigated_at) == (bar(42), bar(43))
    assert block.invalidated_at == bar(44)
    assert (above.direction, above.confirmed_at) == (Direction.BEARISH, bar(40))
    assert above.touched_at is None


def test_before_the_break_nobody_knew_of_the_block() -> None:
    block, _ = find_order_blocks(MARKET, swing_length=3)

    assert block.as_of(bar(21)) is None
    fresh = block.as_of(bar(41))
    assert fresh is not None and fresh.touched_at is None


def test_one_candle_is_one_block_however_many_swings_its_move_breaks() -> None:
    # Two falling highs, both broken by the last rise from its only low.
    blocks = find_order_blocks(zigzag(100, 112, 108, 110, 102, 115), swing_length=2)
    rising = [block for block in blocks if block.direction is Direction.BULLISH]

    assert len({block.happened_at for block in rising}) == len(rising)


def gap_market(*later: tuple[float, float, float, float]) -> tuple:
    """Bars of which the second leaves 11 to 12 untraded, and what followed."""
    return (10, 11, 9.5, 10.5), (10.5, 13, 10.4, 12.8), (12.8, 14, 12, 13.5), *later


def test_a_gap_is_dated_at_its_middle_bar_and_known_a_bar_later() -> None:
    window = drawn(
        *gap_market(
            (13.5, 14, 12.5, 13),
            (13, 13.2, 11.8, 12.9),
            (12.9, 13, 11.5, 12),
            (12, 12.1, 10.9, 11.5),
            (11.5, 11.6, 10.0, 10.2),
        )
    )

    gap = next(g for g in find_fair_value_gaps(window) if g.happened_at == bar(1))

    assert (gap.confirmed_at, gap.direction) == (bar(2), Direction.BULLISH)
    assert (gap.top, gap.bottom, gap.size) == (12.0, 11.0, 1.0)
    assert gap.size_atr is None and gap.overlap == 0.0
    assert (gap.touched_at, gap.half_filled_at) == (bar(4), bar(5))
    assert (gap.filled_at, gap.inverted_at) == (bar(6), bar(7))


def test_three_bars_with_one_missing_between_are_no_gap() -> None:
    bars = (*gap_market((13.5, 14, 12.5, 13)), (13, 13.5, 12.4, 13))

    assert [g.happened_at for g in find_fair_value_gaps(drawn(*bars))] == [bar(1)]
    assert find_fair_value_gaps(drawn(*bars, missing=(1,))) == ()
    assert find_fair_value_gaps(drawn(bars[0], bars[0], *bars[1:], missing=(2,))) == ()


def test_a_gap_within_the_open_one_before_it_tells_its_overlap() -> None:
    # Gaps 11 to 12 and 11.5 to 12.5, then one that begins after the first is filled.
    window = drawn(
        (10, 11, 9.5, 10.5),
        (10.5, 11.5, 10.4, 11.4),
        (11.4, 13, 12, 12.9),
        (12.9, 13.5, 12.5, 13.2),
    )

    first, second = find_fair_value_gaps(window)

    assert (second.bottom, second.top) == (11.5, 12.5)
    assert (first.overlap, second.overlap) == (0.0, 0.5)


def test_equal_highs_are_a_pool_known_when_the_second_is_confirmed() -> None:
    above, below = find_liquidity_pools(
        zigzag(100, 110, 104, 110, 104, 112, 103, 108), swing_length=3
    )

    assert (above.side, above.level) == (LiquiditySide.BUY_SIDE, 110.25)
    assert (above.happened_at, above.confirmed_at) == (bar(21), bar(24))
    assert above.touches == (TimedValue(bar(24), 110.25), TimedValue(bar(24), 110.25))
    assert above.swept_at == above.broken_at == bar(34)
    assert (below.side, below.level) == (LiquiditySide.SELL_SIDE, 103.75)
    assert below.broken_at == bar(44)


def test_a_third_equal_high_joins_the_pool_from_its_confirmation_on() -> None:
    market = zigzag(100, 110, 104, 110, 105, 110, 103, 104)
    pool = find_liquidity_pools(market, swing_length=3)[0]

    assert [touch.at for touch in pool.touches] == [bar(24), bar(24), bar(34)]
    early = pool.as_of(bar(33))
    assert early is not None and len(early.touches) == 2


def test_a_wick_beyond_a_pool_that_closes_inside_is_a_sweep() -> None:
    up = zigzag(100, 110, 104, 110, 104, 109)
    bars = [*zip(up.open, up.high, up.low, up.close, strict=True)]
    bars += [(109, 111, 108.5, 109.5), (109.5, 112, 109, 111.5)]

    (sweep,) = find_liquidity_sweeps(drawn(*bars), swing_length=3)

    assert sweep.happened_at == sweep.confirmed_at == bar(len(bars) - 2)
    assert (sweep.side, sweep.level) == (LiquiditySide.BUY_SIDE, 110.25)
    assert (sweep.depth, sweep.pool_at) == (0.75, bar(21))
    assert sweep.failed_at == bar(len(bars) - 1)
    # A first trade beyond that closes beyond is a break.
    broken = drawn(*bars[:-2], (109, 111, 108.5, 110.5))
    assert find_liquidity_sweeps(broken, swing_length=3) == ()


def test_highs_with_a_higher_one_between_are_no_pool() -> None:
    pools = find_liquidity_pools(
        zigzag(100, 110, 104, 112, 104, 110, 105), swing_length=3
    )

    assert [pool.side for pool in pools] == [LiquiditySide.SELL_SIDE]


def test_rises_and_falls_are_told_alike() -> None:
    mirrored = upside_down(MARKET)

    for find in (find_order_blocks, find_liquidity_pools):
        here = find(MARKET, swing_length=3)
        there = find(mirrored, swing_length=3)
        assert [item.confirmed_at for item in here] == [i.confirmed_at for i in there]
