"""Aroon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Aroon(Indicator):
    """How recent the highest high and the lowest low are, 0 to 100 (Chande 1995).

    100 where it is this bar, 0 where it is `period` bars old; of equal ones the newest
    counts. The oscillator is up less down.
    """

    name: ClassVar[str] = "aroon"

    period: int = 14

    @property
    def outputs(self) -> tuple[str, ...]:
        return (
            f"aroon_up_{self.period}",
            f"aroon_down_{self.period}",
            f"aroon_oscillator_{self.period}",
        )

    @property
    def bars_needed(self) -> int:
        return self.period + 1

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        down, up = talib.AROON(window.high, window.low, self.period)
        return up, down, up - down
