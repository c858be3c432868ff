"""Volume: how much a bar traded next to the bars before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from app.analysis.indicators.base import Indicator
from app.analysis.rolling import rolling_sum
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class VolumeRatio(Indicator):
    """Volume of a bar over the mean of the `period` bars before it.

    The bar itself is left out of its own yardstick. Where those bars traded nothing
    there is no yardstick and no ratio: 0 would say that the bar traded nothing.
    """

    name: ClassVar[str] = "volume_ratio"

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"volume_ratio_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period + 1

    @property
    def undefined_when(self) -> str | None:
        return f"nothing was traded in the {self.period} bars before"

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        ratio = np.full(len(window), np.nan)
        if len(window) > self.period:
            # Not TA-Lib's running mean: it keeps the rounding of volumes long past.
            mean = rolling_sum(window.volume, self.period)[self.period - 1 : -1]
            mean /= self.period
            traded = window.volume[self.period :]
            np.divide(traded, mean, out=ratio[self.period :], where=mean > 0)
        return (ratio,)
