"""Trend: SMA, EMA and ADX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.warmup import (
    CHANGE_TOLERANCE,
    LEVEL_TOLERANCE,
    bars_to_forget,
    bars_to_forget_twice,
    ema_decay,
    wilder_decay,
)
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Sma(Indicator):
    """Simple moving average of closes."""

    name: ClassVar[str] = "sma"

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"sma_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        return (talib.SMA(window.close, self.period),)


@dataclass(frozen=True, slots=True)
class Ema(Indicator):
    """Exponential moving average of closes, seeded with their first SMA."""

    name: ClassVar[str] = "ema"

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"ema_{self.period}",)

    @property
    def bars_needed(self) -> int:
        decay = ema_decay(self.period)
        return self.period + bars_to_forget(decay, LEVEL_TOLERANCE)

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        return (talib.EMA(window.close, self.period),)


@dataclass(frozen=True, slots=True)
class Adx(Indicator):
    """Average directional index with +DI and -DI, 0 to 100 (Wilder 1978).

    Without any directional movement all three are 0.
    """

    name: ClassVar[str] = "adx"

    period: int = 14

    @property
    def outputs(self) -> tuple[str, ...]:
        return (
            f"adx_{self.period}",
            f"plus_di_{self.period}",
            f"minus_di_{self.period}",
        )

    @property
    def bars_needed(self) -> int:
        decay = wilder_decay(self.period)
        return 2 * self.period + bars_to_forget_twice(decay, CHANGE_TOLERANCE)

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        bars = (window.high, window.low, window.close)
        return (
            talib.ADX(*bars, self.period),
            talib.PLUS_DI(*bars, self.period),
            talib.MINUS_DI(*bars, self.period),
        )
