"""Williams %R."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.window import CandleWindow, FloatArray

MIDDLE = -50.0


@dataclass(frozen=True, slots=True)
class WilliamsR(Indicator):
    """Distance of the close from the highest high of `period` bars, -100 to 0.

    Source: Williams 1973. Where no price differed it is 0/0 and read as -50, the
    middle; TA-Lib's 0 would be the highest of highs.
    """

    name: ClassVar[str] = "williams_r"
    aliases: ClassVar[tuple[str, ...]] = ("willr",)

    period: int = 14

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"williams_r_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        high, low = window.high, window.low
        percent_r: FloatArray = talib.WILLR(high, low, window.close, self.period)
        if np.count_nonzero(high == low) >= self.period:
            highest, lowest = talib.MAX(high, self.period), talib.MIN(low, self.period)
            percent_r[highest == lowest] = MIDDLE
        return (percent_r,)
