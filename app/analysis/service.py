"""Indicators of a window: all bars of it, or the value at its last bar."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.indicators.volume import VolumeRatio
from app.analysis.window import CandleWindow, FloatArray

DEFAULT_INDICATORS: tuple[Indicator, ...] = (
    Rsi(14),
    Macd(12, 26, 9),
    Ema(20),
    Ema(50),
    Sma(20),
    Sma(200),
    Atr(14),
    Adx(14),
    BollingerBands(20, 2.0),
    VolumeRatio(20),
)


def compute_indicators(
    window: CandleWindow, indicators: Sequence[Indicator]
) -> dict[str, float | None]:
    """Value of each output at the window's last bar; None while warming up.

    Each indicator sees exactly its last `bars_needed` bars, however long the window
    is: that makes a value the same in live, replay and data-set builds. NaN never
    leaves this function.
    """
    values: dict[str, float | None] = {}
    for indicator in indicators:
        needed = indicator.bars_needed
        if len(window) < needed:
            values.update(dict.fromkeys(indicator.outputs))
            continue
        arrays = indicator.series(window.last(needed))
        for name, array in zip(indicator.outputs, arrays, strict=True):
            value = float(array[-1])
            values[name] = value if math.isfinite(value) else None
    return values


class IndicatorService:
    """A configured set of indicators over windows of closed bars."""

    def __init__(self, indicators: Sequence[Indicator] = DEFAULT_INDICATORS) -> None:
        names = [name for indicator in indicators for name in indicator.outputs]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"indicators must have unique outputs, doubled: {doubled}")
        self.indicators = tuple(indicators)

    @property
    def bars_needed(self) -> int:
        """Bars after which no indicator of the set is warming up."""
        return max((item.bars_needed for item in self.indicators), default=0)

    def latest(self, window: CandleWindow) -> dict[str, float | None]:
        """Value of each output at the last bar, by name; None while warming up."""
        return compute_indicators(window, self.indicators)

    def warming_up(self, window: CandleWindow) -> tuple[str, ...]:
        """Outputs for which the window is still too short."""
        return tuple(
            name
            for indicator in self.indicators
            if len(window) < indicator.bars_needed
            for name in indicator.outputs
        )

    def series(self, window: CandleWindow) -> Mapping[str, FloatArray]:
        """Each output at every bar, shape (bars,); NaN until the first value.

        For charts and research: early elements carry the truncation error that
        `latest` excludes.
        """
        return {
            name: array
            for indicator in self.indicators
            for name, array in zip(
                indicator.outputs, indicator.series(window), strict=True
            )
        }
