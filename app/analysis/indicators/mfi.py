"""Money flow index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.rolling import held_for, unchanged
from app.analysis.window import CandleWindow, FloatArray

NEUTRAL_MFI = 50.0


@dataclass(frozen=True, slots=True)
class Mfi(Indicator):
    """Money flow index, 0 to 100: an RSI weighted with traded value.

    Source: Quong and Soudack 1989. Where no value flowed either way in `period` bars
    (no volume, or no typical price that moved) it is 0/0 and read as 50, not as
    TA-Lib's 0.
    """

    name: ClassVar[str] = "mfi"

    period: int = 14

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"mfi_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period + 1

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        high, low, close, volume = window.high, window.low, window.close, window.volume
        mfi: FloatArray = talib.MFI(high, low, close, volume, self.period)
        zero = np.flatnonzero(mfi == 0.0)
        if len(zero):
            still = unchanged(talib.TYPPRICE(high, low, close)) | (volume == 0.0)
            if still[zero].any():
                mfi[held_for(still, self.period) & ~np.isnan(mfi)] = NEUTRAL_MFI
        return (mfi,)
