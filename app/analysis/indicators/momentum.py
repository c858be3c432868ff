"""Momentum: RSI and MACD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.warmup import (
    CHANGE_TOLERANCE,
    bars_to_forget,
    ema_decay,
    wilder_decay,
)
from app.analysis.window import CandleWindow, FloatArray

NEUTRAL_RSI = 50.0


@dataclass(frozen=True, slots=True)
class Rsi(Indicator):
    """Relative strength index, 0 to 100 (Wilder 1978, New Concepts).

    Where no close has differed from another the ratio is 0/0: the value is 50, not
    TA-Lib's 0, which would read as a collapse.
    """

    name: ClassVar[str] = "rsi"

    period: int = 14

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"rsi_{self.period}",)

    @property
    def bars_needed(self) -> int:
        decay = wilder_decay(self.period)
        return self.period + 1 + bars_to_forget(decay, CHANGE_TOLERANCE)

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        close = window.close
        rsi: FloatArray = talib.RSI(close, self.period)
        if len(close) > self.period and (rsi[self.period] == 0.0):
            moved = np.maximum.accumulate(close != close[0])
            rsi[~moved & ~np.isnan(rsi)] = NEUTRAL_RSI
        return (rsi,)


@dataclass(frozen=True, slots=True)
class Macd(Indicator):
    """MACD line, signal and histogram, in price units (Appel 1979).

    It crosses zero, so its truncation error is relative to its usual size.
    """

    name: ClassVar[str] = "macd"

    fast: int = 12
    slow: int = 26
    signal: int = 9

    @property
    def outputs(self) -> tuple[str, ...]:
        key = f"{self.fast}_{self.slow}_{self.signal}"
        return (f"macd_{key}", f"macd_signal_{key}", f"macd_histogram_{key}")

    @property
    def bars_needed(self) -> int:
        slowest = ema_decay(max(self.slow, self.signal))
        return self.slow + self.signal + bars_to_forget(slowest, CHANGE_TOLERANCE)

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        line, signal, histogram = talib.MACD(
            window.close, self.fast, self.slow, self.signal
        )
        return line, signal, histogram
