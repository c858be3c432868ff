"""What a structure state is made of, and how it is stored.

Figures are kept two ways: as fields with times, and by `figures()` as a flat row of
numbers in a fixed order, for a column of packed numbers or a model's features.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.analysis.structure.dealing_range import DealingRange
from app.analysis.structure.swings import SwingLabel
from app.domain.direction import Direction


@dataclass(frozen=True, slots=True)
class SwingState:
    """The newest confirmed swing of a kind."""

    price: float
    label: SwingLabel | None
    happened_at: datetime
    bars_ago: int


@dataclass(frozen=True, slots=True)
class BreakState:
    """The newest break of a kind."""

    direction: Direction
    level: float
    broken_at: datetime
    bars_ago: int


@dataclass(frozen=True, slots=True)
class BlockState:
    """The nearest order block that is neither mitigated nor invalidated."""

    top: float
    bottom: float
    confirmed_at: datetime
    bars_ago: int
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class GapState:
    """The nearest gap that is not filled; `filled` is the share traded, in [0, 1)."""

    top: float
    bottom: float
    confirmed_at: datetime
    bars_ago: int
    filled: float


@dataclass(frozen=True, slots=True)
class PoolState:
    """The nearest pool that is not swept, made of so many swings."""

    level: float
    swings: int
    confirmed_at: datetime
    bars_ago: int


@dataclass(frozen=True, slots=True)
class SideState:
    """What one side of the market holds.

    Bullish: the last swing high, order blocks and gaps that rising moves left below,
    and pools above highs. Bearish: the last swing low, blocks and gaps of falling moves
    above, and pools below lows. The counts are of all such that are still whole.
    """

    swing: SwingState | None
    order_blocks: int
    order_block: BlockState | None
    open_gaps: int
    gap: GapState | None
    pools: int
    pool: PoolState | None


@dataclass(frozen=True, slots=True)
class StructureState:
    """Structure at the last of `bars` bars.

    `trend` is the direction of the newest break, None before there was one.
    """

    bars: int
    missing_bars: int
    trend: Direction | None
    last_bos: BreakState | None
    last_choch: BreakState | None
    bullish: SideState
    bearish: SideState
    dealing_range: DealingRange | None

    def to_json(self) -> dict[str, Any]:
        """For JSONB: what is there only, times as ISO 8601 text."""
        written: dict[str, Any] = {"bars": self.bars}
        if self.missing_bars:
            written["missing"] = self.missing_bars
        if self.trend is not None:
            written["trend"] = self.trend.value
        for name, part in (("bos", self.last_bos), ("choch", self.last_choch)):
            if part is not None:
                written[name] = {
                    "dir": part.direction.value,
                    "level": part.level,
                    "at": _text(part.broken_at),
                }
        for name, side in (("bullish", self.bullish), ("bearish", self.bearish)):
            if found := _side_json(side):
                written[name] = found
        if self.dealing_range is not None:
            top, bottom = self.dealing_range.top, self.dealing_range.bottom
            written["range"] = [bottom, top, round(self.dealing_range.position, 4)]
        return written

    def figures(self) -> dict[str, float | None]:
        """Every figure by name, always all and in the same order; None where absent.

        Directions are 1 and -1, ages are in bars before the last one.
        """
        row: dict[str, float | None] = {
            "trend": self.trend.sign if self.trend is not None else None
        }
        for name, part in (("bos", self.last_bos), ("choch", self.last_choch)):
            row[f"{name}_direction"] = part.direction.sign if part is not None else None
            row[f"{name}_level"] = part.level if part is not None else None
            row[f"{name}_age"] = part.bars_ago if part is not None else None
        for name, side in (("bullish", self.bullish), ("bearish", self.bearish)):
            row.update(_side_figures(name, side))
        found = self.dealing_range
        row["range_top"] = found.top if found is not None else None
        row["range_bottom"] = found.bottom if found is not None else None
        row["range_position"] = found.position if found is not None else None
        return row


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def _side_json(side: SideState) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if (swing := side.swing) is not None:
        label = swing.label.value if swing.label is not None else None
        written["swing"] = [swing.price, label, _text(swing.happened_at)]
    if (block := side.order_block) is not None:
        written["block"] = {
            "zone": [block.bottom, block.top],
            "at": _text(block.confirmed_at),
            "fresh": block.is_fresh,
            "of": side.order_blocks,
        }
    if (gap := side.gap) is not None:
        written["gap"] = {
            "zone": [gap.bottom, gap.top],
            "at": _text(gap.confirmed_at),
            "filled": round(gap.filled, 4),
            "of": side.open_gaps,
        }
    if (pool := side.pool) is not None:
        written["pool"] = {
            "level": pool.level,
            "at": _text(pool.confirmed_at),
            "swings": pool.swings,
            "of": side.pools,
        }
    return written


def _side_figures(name: str, side: SideState) -> dict[str, float | None]:
    swing, block, gap, pool = side.swing, side.order_block, side.gap, side.pool
    return {
        f"{name}_swing_price": swing.price if swing is not None else None,
        f"{name}_swing_age": swing.bars_ago if swing is not None else None,
        f"{name}_blocks": side.order_blocks,
        f"{name}_block_top": block.top if block is not None else None,
        f"{name}_block_bottom": block.bottom if block is not None else None,
        f"{name}_block_age": block.bars_ago if block is not None else None,
        f"{name}_block_fresh": float(block.is_fresh) if block is not None else None,
        f"{name}_gaps": side.open_gaps,
        f"{name}_gap_top": gap.top if gap is not None else None,
        f"{name}_gap_bottom": gap.bottom if gap is not None else None,
        f"{name}_gap_age": gap.bars_ago if gap is not None else None,
        f"{name}_gap_filled": gap.filled if gap is not None else None,
        f"{name}_pools": side.pools,
        f"{name}_pool_level": pool.level if pool is not None else None,
        f"{name}_pool_swings": pool.swings if pool is not None else None,
        f"{name}_pool_age": pool.bars_ago if pool is not None else None,
    }
