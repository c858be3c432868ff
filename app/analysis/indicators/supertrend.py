"""SuperTrend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.volatility import Atr
from app.analysis.window import CandleWindow, FloatArray

# Bars in which bands and direction nearly always become independent of the past, over
# the squared multiple: prices that wander take that long to cross the bands. Measured
# in tests/analysis/test_supertrend.py.
_MEMORY = 100 / 3
_CHUNK = 150
_INF = math.inf


@dataclass(frozen=True, slots=True)
class SuperTrend(Indicator):
    """A trailing band `multiple` average true ranges away, and its side (Seban).

    The band is under the price while the direction is 1, over it while it is -1. It
    hangs on its whole path, but not for ever: once any band and direction that could
    have stood at the declared window's start would have led to the same ones, the past
    no longer matters. A window in which that has not happened by its last bar has no
    value there.
    """

    name: ClassVar[str] = "supertrend"

    period: int = 10
    multiple: float = 3.0

    @property
    def outputs(self) -> tuple[str, ...]:
        key = f"{self.period}_{self.multiple:g}"
        return (f"supertrend_{key}", f"supertrend_direction_{key}")

    @property
    def bars_needed(self) -> int:
        return self._settled + self._memory

    @property
    def undefined_when(self) -> str | None:
        return "the trend of the declared window may still be that of older bars"

    @property
    def _memory(self) -> int:
        return math.ceil(max(_MEMORY * self.multiple**2, 100))

    @property
    def _settled(self) -> int:
        """Bars after which the average true range is independent of the past."""
        return Atr(self.period).bars_needed

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        high, low, close = window.high, window.low, window.close
        band, side = talib.SUPERTREND(high, low, close, self.period, self.multiple)
        direction = np.where(np.isnan(band), np.nan, side)
        needed = self.bars_needed
        if len(window) >= needed:
            hidden = self._hidden_from(window, needed - 1)
            band[hidden] = direction[hidden] = np.nan
        return band, direction

    def _hidden_from(self, window: CandleWindow, judged_from: int) -> list[int]:
        """Bars from `judged_from` on at which the active band hangs on older bars.

        Starts from no knowledge and keeps what is possible: the least and most that
        each band can be, whether the trend can rise or fall, and how far its band can
        then be off. A band moves to the new level where that is nearer or the close
        before was beyond it, else it stays; a trend turns where the close is beyond its
        band. One long loop, for it runs for each market at each close; it ends where
        all is known, since then it stays so.
        """
        hidden: list[int] = []
        start, size = self._settled - 1, len(window)
        upper_least = lower_least = rising_least = -_INF
        upper_most = lower_most = falling_most = _INF
        can_rise = can_fall = True
        for first in range(start, size, _CHUNK):
            bars = self._bands(window, first, min(first + _CHUNK, size))
            for at, (upper, lower, before, close) in enumerate(zip(*bars, strict=True)):
                if before > upper_most or upper < upper_least or before > upper:
                    upper_least = upper_most = upper
                elif before > upper_least or upper < upper_most:
                    upper_most = upper
                    if before > upper_least:
                        upper_least = before
                if before < lower_least or lower > lower_most or before < lower:
                    lower_least = lower_most = lower
                elif before < lower_most or lower > lower_least:
                    lower_least = lower
                    if before < lower_most:
                        lower_most = before
                turns_down = can_rise and close <= lower_most
                turns_up = can_fall and close > upper_least
                if can_fall:
                    if upper < falling_most:
                        falling_most = upper
                    can_fall = close <= falling_most
                if can_rise:
                    if lower > rising_least:
                        rising_least = lower
                    can_rise = close > rising_least
                if turns_down:
                    falling_most = max(falling_most if can_fall else -_INF, upper_most)
                    can_fall = True
                if turns_up:
                    rising_least = min(rising_least if can_rise else _INF, lower_least)
                    can_rise = True
                if can_rise and can_fall:
                    is_known = False
                elif upper_least == upper_most and lower_least == lower_most:
                    return hidden
                else:
                    is_known = (
                        lower_least == lower_most
                        if can_rise
                        else upper_least == upper_most
                    )
                if not is_known and first + at >= judged_from:
                    hidden.append(first + at)
        return hidden

    def _bands(
        self, window: CandleWindow, start: int, stop: int
    ) -> tuple[list[float], ...]:
        """New upper and lower levels, the close before and the close, a list each."""
        reach = slice(start - self._settled + 1, stop)
        high, low, close = window.high[reach], window.low[reach], window.close[reach]
        away = self.multiple * talib.ATR(high, low, close, self.period)
        middle = (high + low) / 2
        kept = self._settled - 1
        return (
            (middle + away)[kept:].tolist(),
            (middle - away)[kept:].tolist(),
            close[kept - 1 : -1].tolist(),
            close[kept:].tolist(),
        )
