"""Stochastic RSI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Rsi
from app.analysis.warmup import bars_to_forget, wilder_decay
from app.analysis.window import CandleWindow, FloatArray

MIDDLE = 50.0
# A range of RSI this small is rounding: an RSI that stands still wobbles by 1e-14.
_STILL = 1e-9
# The error of an RSI is magnified by 100 over its range in `stochastic` bars.
_TOLERANCE = 1e-11


@dataclass(frozen=True, slots=True)
class StochRsi(Indicator):
    """Where the RSI lies in its own range of `stochastic` bars, 0 to 100, and a mean.

    Source: Chande and Kroll 1994; %K is not smoothed and %D is its mean over `signal`
    bars, as in TA-Lib. Where the RSI stood still %K is 0/0 and read as 50.
    """

    name: ClassVar[str] = "stoch_rsi"
    aliases: ClassVar[tuple[str, ...]] = ("stochrsi",)
    least: ClassVar[dict[str, int]] = {"signal": 1}

    period: int = 14
    stochastic: int = 14
    signal: int = 3

    @property
    def outputs(self) -> tuple[str, ...]:
        key = f"{self.period}_{self.stochastic}_{self.signal}"
        return (f"stoch_rsi_k_{key}", f"stoch_rsi_d_{key}")

    @property
    def bars_needed(self) -> int:
        forgotten = bars_to_forget(wilder_decay(self.period), _TOLERANCE)
        return self.period + forgotten + self.stochastic + self.signal - 1

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        (rsi,) = Rsi(self.period).series(window)
        percent_k, _ = talib.STOCHF(rsi, rsi, rsi, self.stochastic, 1)
        span = talib.MAX(rsi, self.stochastic) - talib.MIN(rsi, self.stochastic)
        percent_k[span <= _STILL] = MIDDLE
        return percent_k, talib.SMA(percent_k, self.signal)
