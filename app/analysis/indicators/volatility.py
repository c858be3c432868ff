"""Volatility: ATR and Bollinger Bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.warmup import CHANGE_TOLERANCE, bars_to_forget, wilder_decay
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Atr(Indicator):
    """Average true range, in price units (Wilder 1978)."""

    name: ClassVar[str] = "atr"

    period: int = 14

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"atr_{self.period}",)

    @property
    def bars_needed(self) -> int:
        decay = wilder_decay(self.period)
        return self.period + 1 + bars_to_forget(decay, CHANGE_TOLERANCE)

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        return (talib.ATR(window.high, window.low, window.close, self.period),)


@dataclass(frozen=True, slots=True)
class BollingerBands(Indicator):
    """Mean of closes and bands at `deviations` population standard deviations.

    Source: Bollinger 2001, Bollinger on Bollinger Bands. `width` is the distance of
    the bands over the mean; 0 at a constant price.
    """

    name: ClassVar[str] = "bollinger_bands"
    aliases: ClassVar[tuple[str, ...]] = ("bbands", "bollinger")

    period: int = 20
    deviations: float = 2.0

    @property
    def outputs(self) -> tuple[str, ...]:
        key = f"{self.period}_{self.deviations:g}"
        return (
            f"bb_upper_{key}",
            f"bb_middle_{key}",
            f"bb_lower_{key}",
            f"bb_width_{key}",
        )

    @property
    def bars_needed(self) -> int:
        return self.period

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        upper, middle, lower = talib.BBANDS(
            window.close, self.period, self.deviations, self.deviations
        )
        width = upper - lower
        width /= middle
        return upper, middle, lower, width
