"""Chaikin money flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.money_flow import money_flow_volume
from app.analysis.rolling import rolling_sum
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Cmf(Indicator):
    """Money flow volume of `period` bars over their volume, -1 to 1 (Chaikin).

    0 where they traded nothing: no money flowed either way. TA-Lib's running sums keep
    the rounding of volumes long past there, so the sums are our own.
    """

    name: ClassVar[str] = "cmf"

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"cmf_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        flow = rolling_sum(money_flow_volume(window), self.period)
        traded = rolling_sum(window.volume, self.period)
        cmf = np.divide(flow, traded, out=np.zeros_like(flow), where=traded > 0)
        cmf[: self.period - 1] = np.nan
        return (cmf,)
