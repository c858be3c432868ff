"""Rate of change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Roc(Indicator):
    """Change of the close over `period` bars, in percent of the close then."""

    name: ClassVar[str] = "roc"
    least_period: ClassVar[int] = 1

    period: int = 10

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"roc_{self.period}",)

    @property
    def bars_needed(self) -> int:
        return self.period + 1

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        return (talib.ROC(window.close, self.period),)
