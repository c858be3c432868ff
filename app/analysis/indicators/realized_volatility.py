"""Realised volatility."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import numpy as np

from app.analysis.indicators.base import Indicator
from app.analysis.rolling import rolling_sum
from app.analysis.window import CandleWindow, FloatArray

_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class RealizedVolatility(Indicator):
    """Root mean square of `period` log returns, scaled to a year of 365 days.

    A fraction: 0.6 is 60 % a year. The mean return is taken as 0, as for realised
    variance (Andersen and Bollerslev 1998). A return that spans missing bars counts as
    one bar's.
    """

    name: ClassVar[str] = "realized_volatility"
    aliases: ClassVar[tuple[str, ...]] = ("realised_volatility",)

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"realized_volatility_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period + 1

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        volatility = np.full(len(window), np.nan)
        if len(window) > self.period:
            returns = np.diff(np.log(window.close))
            total = rolling_sum(returns * returns, self.period)[self.period - 1 :]
            bars_a_year = _YEAR / window.timeframe.duration
            scale = math.sqrt(bars_a_year / self.period)
            volatility[self.period :] = np.sqrt(total) * scale
        return (volatility,)
