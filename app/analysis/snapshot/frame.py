"""Everything that is kept of one series at its last closed bar.

Live snapshots, replay and data-set builds all go through `FrameAnalysis.read`, which
looks at exactly the declared bars however many it is handed: that is why they agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.patterns.pattern import LastBarPatterns
from app.analysis.patterns.recognition import PATTERN_BARS, patterns_at_last_bar
from app.analysis.regimes.detection import RegimeReading
from app.analysis.service import IndicatorService
from app.analysis.structure.state import STRUCTURE_BARS, structure_state
from app.analysis.window import CandleWindow
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe

# Slots read beyond the declared bars, as a part of them: bars that the exchange never
# gave must not leave a long series warming up.
SPARE_SLOTS = 0.25


@dataclass(frozen=True, slots=True)
class FrameReading:
    """One series at its last bar, which opened at `bar_at`; None without any bar.

    `figures` are the values in the order of `FrameAnalysis.names`, None where there is
    none. `bars` of the declared bars were there.
    """

    bar_at: datetime | None
    bars: int
    figures: tuple[float | None, ...]
    regime: Regime | None
    patterns: LastBarPatterns


class FrameAnalysis:
    """The configured indicators, structure, patterns and readings of a series.

    Figures are named for what they come from: indicators by their own names, the rest
    with a prefix (`structure.trend`, `volume.zscore`, ...).
    """

    def __init__(
        self,
        indicators: IndicatorService | None = None,
        analyzer: MarketAnalyzer | None = None,
    ) -> None:
        self._indicators = indicators or IndicatorService()
        self._analyzer = analyzer or MarketAnalyzer()
        # What an empty window answers has every name and no bar.
        empty = np.empty(0)
        times = np.empty(0, "datetime64[us]")
        columns = (empty, empty, empty, empty, empty)
        nothing = CandleWindow("", Timeframe.H1, times, *columns)
        self.names = tuple(self._figures(nothing, RegimeReading()))
        self._needs: dict[Timeframe, Mapping[str, int]] = {}

    @property
    def indicator_names(self) -> tuple[str, ...]:
        """The outputs of the configured indicators."""
        items = self._indicators.indicators
        return tuple(name for indicator in items for name in indicator.outputs)

    def requirements(self, timeframe: Timeframe) -> dict[str, dict[str, Any]]:
        """By figure: what it is, the bars it needs, where an endless sum starts."""
        declared = self._indicators.requirements(timeframe)
        needs = self._reading_needs()
        for name in self.names:
            group = name.partition(".")[0]
            needed = needs.get(name, needs.get(group))
            if name not in declared and needed is not None:
                declared[name] = {"reading": group, "bars_needed": needed}
        return declared

    def needs(self, timeframe: Timeframe) -> Mapping[str, int]:
        """Bars that each figure is declared to be computed from."""
        needs = self._needs.get(timeframe)
        if needs is None:
            declared = self.requirements(timeframe)
            needs = {name: item["bars_needed"] for name, item in declared.items()}
            self._needs[timeframe] = needs
        return needs

    def bars_needed_on(self, timeframe: Timeframe) -> int:
        """Bars of the declared window: no figure looks further back."""
        return max(PATTERN_BARS, *self.needs(timeframe).values())

    def slots_on(self, timeframe: Timeframe) -> int:
        """Slots of the grid to read, so that some may be without a bar."""
        bars = self.bars_needed_on(timeframe)
        return bars + int(bars * SPARE_SLOTS)

    def warming_up(self, timeframe: Timeframe, bars: int) -> tuple[str, ...]:
        """Names that need more than `bars` bars, in the order of `names`.

        None of them has a value. Structure is never one: it is read from what bars
        there are.
        """
        needs = self.needs(timeframe)
        return tuple(
            name
            for name in self.names
            if needs.get(name, 0) > bars and not name.startswith("structure.")
        )

    def read(self, window: CandleWindow) -> FrameReading:
        """The window's last bar, read from its last `bars_needed_on` bars."""
        window = window.last(self.bars_needed_on(window.timeframe))
        regime = self._analyzer.regime(window)
        return FrameReading(
            bar_at=window.last_open_at if len(window) else None,
            bars=len(window),
            figures=tuple(self._figures(window, regime).values()),
            regime=regime.regime,
            patterns=patterns_at_last_bar(window),
        )

    def _figures(
        self, window: CandleWindow, regime: RegimeReading
    ) -> dict[str, float | None]:
        figures: dict[str, float | None] = dict(self._indicators.latest(window))
        structure = structure_state(window).figures()
        figures.update(_prefixed("structure", structure))
        trend, volume = self._analyzer.trend(window), self._analyzer.volume(window)
        volatility = self._analyzer.volatility(window)
        figures["regime.ema_slope"] = regime.ema_slope
        figures["trend.slope"] = trend.slope
        figures["trend.strength"] = trend.strength
        figures["volatility.garman_klass"] = volatility.garman_klass
        figures["volatility.yang_zhang"] = volatility.yang_zhang
        figures["volatility.atr_ratio"] = volatility.atr_ratio
        figures["volatility.atr_percentile"] = volatility.atr_percentile
        figures["volume.ratio"] = volume.ratio
        figures["volume.zscore"] = volume.zscore
        figures["volume.percentile"] = volume.percentile
        figures["window.bars"] = float(len(window))
        figures["window.missing_bars"] = float(window.missing_bars)
        figures["window.gap_age"] = _gap_age(window)
        return figures

    def _reading_needs(self) -> dict[str, int]:
        """Of a figure where its group has several needs, else of its group."""
        volatility = self._analyzer.volatility_needs
        own = {f"volatility.{name}": bars for name, bars in volatility.items()}
        return {"structure": STRUCTURE_BARS, **self._analyzer.needs, **own}


def _prefixed(
    group: str, values: Mapping[str, float | None]
) -> dict[str, float | None]:
    return {f"{group}.{name}": value for name, value in values.items()}


def _gap_age(window: CandleWindow) -> float | None:
    """Bars after the newest missing slot; None where none is missing.

    What was computed from more bars than that was computed across a gap.
    """
    if not window.missing_bars:
        return None
    if window.timeframe.is_month:
        steps = np.diff(window.open_at.astype("datetime64[M]")).astype(np.int64)
        usual = 1
    else:
        steps = np.diff(window.open_at).astype(np.int64)
        usual = int(window.timeframe.duration.total_seconds() * 1_000_000)
    return float(len(window) - 1 - int(np.flatnonzero(steps > usual)[-1]))
