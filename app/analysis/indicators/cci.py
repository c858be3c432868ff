"""Commodity channel index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.rolling import held_for, unchanged
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Cci(Indicator):
    """Distance of the typical price from its mean, over 0.015 mean deviations.

    Source: Lambert 1980. Where the typical price stood still for `period` bars it is
    0/0 and read as 0, at the mean; what rounding leaves there would read as +-67.
    """

    name: ClassVar[str] = "cci"

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"cci_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        high, low, close = window.high, window.low, window.close
        cci: FloatArray = talib.CCI(high, low, close, self.period)
        same = unchanged(talib.TYPPRICE(high, low, close))
        if np.count_nonzero(same) >= self.period - 1:
            cci[held_for(same, self.period - 1) & ~np.isnan(cci)] = 0.0
        return (cci,)
