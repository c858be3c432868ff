"""Everything that a chart shows of a window, cut to the bars that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TypeVar

import numpy as np

from app.analysis.finding import Finding
from app.analysis.levels.support_resistance import PriceLevel, support_resistance
from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.patterns.pattern import Pattern
from app.analysis.patterns.recognition import find_breakouts, find_patterns
from app.analysis.service import IndicatorService
from app.analysis.structure.breaks import StructureBreak, find_structure_breaks
from app.analysis.structure.fair_value_gaps import FairValueGap, find_fair_value_gaps
from app.analysis.structure.order_blocks import OrderBlock, find_order_blocks
from app.analysis.structure.swings import SwingPoint, find_swings
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction
from app.domain.regime import Regime

# Below this a pattern does not stand out, below this a gap is noise.
_CLEAR_PATTERN = 0.7
_CLEAR_GAP_ATR = 0.25
_MOST_LEVELS = 6

FindingT = TypeVar("FindingT", bound=Finding)

_ON_PRICE = ("ema_", "sma_", "bb_", "vwap", "supertrend_", "keltner_", "donchian_")
# Neither a price nor worth a panel.
_NOT_DRAWN = ("supertrend_direction", "bb_width")


@dataclass(frozen=True, slots=True)
class RegimeRun:
    """A regime over bars `first` to `last` of the shown window; None: warming up."""

    regime: Regime | None
    first: int
    last: int


@dataclass(frozen=True, eq=False, slots=True)
class MarketPicture:
    """What there is to draw; every finding is in sight of the shown `window`.

    `swings` are the market's turning points, `levels` the strongest ones, `gaps` and
    `patterns` those that stand out; used up blocks and filled gaps are among them.

    `lines` are indicators on the price, `panels` those with a scale of their own, by
    panel and name; arrays of the window's length.
    """

    window: CandleWindow
    lines: Mapping[str, FloatArray]
    panels: Mapping[str, Mapping[str, FloatArray]]
    levels: tuple[PriceLevel, ...]
    swings: tuple[SwingPoint, ...]
    breaks: tuple[StructureBreak, ...]
    order_blocks: tuple[OrderBlock, ...]
    gaps: tuple[FairValueGap, ...]
    patterns: tuple[Pattern, ...]
    regimes: tuple[RegimeRun, ...]

    @property
    def title(self) -> str:
        """Market, time frame and the time it is looked at."""
        first, last = self.window.open_at[0].item(), self.window.last_close_at
        return (
            f"{self.window.symbol} · {self.window.timeframe.value} · "
            f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        )


def picture_of(
    window: CandleWindow, service: IndicatorService, bars: int
) -> MarketPicture:
    """The newest `bars` bars, with all that the whole window says of them."""
    shown = window.last(bars)
    first = shown.open_at[0].item().replace(tzinfo=timezone.utc)
    lines, panels = _sorted_outputs(window, service, len(shown))
    levels = support_resistance(window) or ()
    strongest = sorted(levels, key=lambda level: -level.strength)[:_MOST_LEVELS]
    patterns = [*find_patterns(window), *find_breakouts(window)]
    return MarketPicture(
        window=shown,
        lines=lines,
        panels=panels,
        levels=tuple(sorted(strongest, key=lambda level: level.price)),
        swings=tuple(
            swing
            for swing in _since(find_swings(window), first)
            if swing.superseded_at is None
        ),
        breaks=_since(find_structure_breaks(window), first),
        order_blocks=tuple(
            block
            for block in find_order_blocks(window)
            if (block_end(block) or shown.last_open_at) >= first
        ),
        gaps=tuple(
            gap
            for gap in find_fair_value_gaps(window)
            if (gap.filled_at or shown.last_open_at) >= first
            and (gap.size_atr or 0) >= _CLEAR_GAP_ATR
        ),
        patterns=tuple(
            pattern
            for pattern in _since(patterns, first)
            if pattern.direction is not Direction.NEUTRAL
            and (pattern.confidence or 0) >= _CLEAR_PATTERN
        ),
        regimes=_regime_runs(window, len(shown)),
    )


def block_end(block: OrderBlock) -> datetime | None:
    """The bar at which an order block was used up or failed; None: it is whole."""
    ends = [at for at in (block.mitigated_at, block.invalidated_at) if at is not None]
    return min(ends, default=None)


def _since(found: Iterable[FindingT], first: datetime) -> tuple[FindingT, ...]:
    return tuple(finding for finding in found if finding.happened_at >= first)


def _sorted_outputs(
    window: CandleWindow, service: IndicatorService, bars: int
) -> tuple[dict[str, FloatArray], dict[str, dict[str, FloatArray]]]:
    lines: dict[str, FloatArray] = {}
    panels: dict[str, dict[str, FloatArray]] = {}
    for indicator in service.indicators:
        cold = indicator.bars_needed_on(window.timeframe) - 1
        arrays = indicator.series(window)
        for name, array in zip(indicator.outputs, arrays, strict=True):
            values = np.where(np.isfinite(array), array, np.nan)
            values[:cold] = np.nan
            values = values[-bars:]
            if name.startswith(_NOT_DRAWN):
                continue
            if name.startswith(_ON_PRICE):
                lines[name] = values
            else:
                panels.setdefault(indicator.name, {})[name] = values
    return lines, panels


def _regime_runs(window: CandleWindow, bars: int) -> tuple[RegimeRun, ...]:
    regimes = MarketAnalyzer().regime_series(window).regime[-bars:].tolist()
    runs: list[RegimeRun] = []
    for number, regime in enumerate(regimes):
        if runs and runs[-1].regime is regime:
            runs[-1] = RegimeRun(regime, runs[-1].first, number)
        else:
            runs.append(RegimeRun(regime, number, number))
    return tuple(runs)
