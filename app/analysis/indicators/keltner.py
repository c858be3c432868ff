"""Keltner channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import talib

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.trend import Ema
from app.analysis.indicators.volatility import Atr
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class KeltnerChannel(Indicator):
    """EMA of typical prices with bands at `multiple` average true ranges (Wilder's).

    Source: Keltner 1960 with the EMA and ATR of Raschke, as TA-Lib's KC. Others take
    the EMA of closes.
    """

    name: ClassVar[str] = "keltner_channel"
    aliases: ClassVar[tuple[str, ...]] = ("keltner", "kc")

    period: int = 20
    atr_period: int = 10
    multiple: float = 2.0

    @property
    def outputs(self) -> tuple[str, ...]:
        key = f"{self.period}_{self.atr_period}_{self.multiple:g}"
        return (f"keltner_upper_{key}", f"keltner_middle_{key}", f"keltner_lower_{key}")

    @property
    def bars_needed(self) -> int:
        # TA-Lib starts the true ranges only where the first EMA ends.
        ranges = self.period + Atr(self.atr_period).bars_needed
        return max(Ema(self.period).bars_needed, ranges)

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        upper, middle, lower = talib.KC(
            window.high,
            window.low,
            window.close,
            self.period,
            self.atr_period,
            self.multiple,
        )
        return upper, middle, lower
