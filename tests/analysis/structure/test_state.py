"""The state at the last bar is what the findings say of it, and little to store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.analysis.structure.breaks import BreakKind, find_structure_breaks
from app.analysis.structure.fair_value_gaps import find_fair_value_gaps
from app.analysis.structure.liquidity import LiquiditySide, find_liquidity_pools
from app.analysis.structure.order_blocks import find_order_blocks
from app.analysis.structure.state import STRUCTURE_BARS, structure_state
from app.analysis.structure.swings import SwingKind, find_swings
from app.analysis.window import CandleWindow
from app.domain.direction import Direction
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import first_bars, random_walk

WINDOWS = [random_walk(STRUCTURE_BARS, seed, deviation=0.01) for seed in range(12)]


@pytest.mark.parametrize("window", WINDOWS)
def test_it_agrees_with_the_findings(window: CandleWindow) -> None:
    state = structure_state(window)
    breaks, swings = find_structure_breaks(window), find_swings(window)
    blocks = [b for b in find_order_blocks(window) if b.mitigated_at is None]
    gaps = [gap for gap in find_fair_value_gaps(window) if gap.filled_at is None]
    pools = [p for p in find_liquidity_pools(window) if p.swept_at is None]

    assert state.trend is breaks[-1].direction
    choch = [b for b in breaks if b.kind is BreakKind.CHOCH][-1]
    assert state.last_choch is not None
    assert state.last_choch.broken_at == choch.happened_at
    assert state.last_choch.level == choch.level
    high = [swing for swing in swings if swing.kind is SwingKind.HIGH][-1]
    low = [swing for swing in swings if swing.kind is SwingKind.LOW][-1]
    for side, swing in ((state.bullish, high), (state.bearish, low)):
        assert side.swing is not None
        assert (side.swing.price, side.swing.label) == (swing.price, swing.label)
    for side, direction in (
        (state.bullish, Direction.BULLISH),
        (state.bearish, Direction.BEARISH),
    ):
        pick = max if direction is Direction.BULLISH else min
        whole = [block for block in blocks if block.direction is direction]
        still_open = [gap for gap in gaps if gap.direction is direction]
        assert side.order_blocks == len(whole)
        assert side.open_gaps == len(still_open)
        if whole:
            near = "top" if direction is Direction.BULLISH else "bottom"
            best = pick(whole, key=lambda block: getattr(block, near))
            assert side.order_block is not None
            assert side.order_block.top == best.top
            assert side.order_block.is_fresh == (best.touched_at is None)
        if still_open:
            far = "bottom" if direction is Direction.BULLISH else "top"
            best_gap = pick(still_open, key=lambda gap: getattr(gap, far))
            assert side.gap is not None and side.gap.top == best_gap.top
            assert (side.gap.filled > 0) == (best_gap.touched_at is not None)
    above = [p.level for p in pools if p.side is LiquiditySide.BUY_SIDE]
    assert state.bullish.pools == len(above)
    assert state.bullish.pool is None or state.bullish.pool.level == min(above)


def test_bars_before_the_declared_window_change_nothing() -> None:
    window = random_walk(STRUCTURE_BARS + 300, seed=21)

    assert structure_state(window) == structure_state(window.last(STRUCTURE_BARS))


def test_an_empty_and_a_short_window_know_nothing() -> None:
    window = random_walk(50, seed=1)

    empty, short = structure_state(first_bars(window, 0)), structure_state(
        window.last(3)
    )

    assert empty.trend is None and empty.to_json() == {"bars": 0}
    assert short.bars == 3 and short.dealing_range is None
    assert set(empty.figures()) == set(structure_state(window).figures())


def test_it_is_stored_in_less_than_a_kilobyte(shared_data: Path) -> None:
    hours = recorded_bars(shared_data, "BTCUSDT-1h")
    sizes = []
    for end in range(5_000, 55_000, 5_000):
        state = structure_state(first_bars(hours, end))
        sizes.append(len(json.dumps(state.to_json(), separators=(",", ":"))))
        assert list(state.figures()) == list(structure_state(hours).figures())

    assert max(sizes) < 1_000


def test_missing_bars_are_told() -> None:
    window = random_walk(60, seed=2)
    holed = CandleWindow(
        window.symbol,
        window.timeframe,
        *(
            getattr(window, name)[[*range(20), *range(25, 60)]]
            for name in ("open_at", "open", "high", "low", "close", "volume")
        ),
    )

    assert structure_state(holed).missing_bars == 5
    assert structure_state(holed).to_json()["missing"] == 5
