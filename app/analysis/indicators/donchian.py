"""Donchian channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class DonchianChannel(Indicator):
    """Highest high and lowest low of `period` bars, this one included, and their mean.

    A close can so never lie outside: a breakout is judged by the bar before.
    """

    name: ClassVar[str] = "donchian_channel"
    aliases: ClassVar[tuple[str, ...]] = ("donchian",)

    period: int = 20

    @property
    def outputs(self) -> tuple[str, ...]:
        return (
            f"donchian_upper_{self.period}",
            f"donchian_middle_{self.period}",
            f"donchian_lower_{self.period}",
        )

    @property
    def bars_needed(self) -> int:
        return self.period

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        upper = talib.MAX(window.high, self.period)
        lower = talib.MIN(window.low, self.period)
        return upper, (upper + lower) / 2, lower
