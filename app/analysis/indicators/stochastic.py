"""Stochastic oscillator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.window import CandleWindow, FloatArray

MIDDLE = 50.0


@dataclass(frozen=True, slots=True)
class Stochastic(Indicator):
    """Slow stochastic %K and %D, 0 to 100 (Lane 1984).

    %K is where the close lies between the lowest low and the highest high of `period`
    bars, averaged over `smooth` bars; %D is its mean over `signal` bars. Where no price
    differed over `period` bars the raw value is 0/0 and read as 50, the middle, not as
    TA-Lib's 0, which would be the lowest of lows. A close outside of that range, which
    some exchanges report, counts as one at its end.
    """

    name: ClassVar[str] = "stochastic"
    aliases: ClassVar[tuple[str, ...]] = ("stoch",)
    least: ClassVar[dict[str, int]] = {"smooth": 1, "signal": 1}

    period: int = 14
    smooth: int = 3
    signal: int = 3

    @property
    def outputs(self) -> tuple[str, ...]:
        key = f"{self.period}_{self.smooth}_{self.signal}"
        return (f"stoch_k_{key}", f"stoch_d_{key}")

    @property
    def bars_needed(self) -> int:
        return self.period + self.smooth + self.signal - 2

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        high, low, close = window.high, window.low, window.close
        raw, _ = talib.STOCHF(high, low, close, self.period, 1)
        raw = np.clip(raw, 0.0, 100.0)
        if np.count_nonzero(high == low) >= self.period:
            is_flat = talib.MAX(high, self.period) == talib.MIN(low, self.period)
            raw[is_flat] = MIDDLE
        slow = talib.SMA(raw, self.smooth)
        return slow, talib.SMA(slow, self.signal)
