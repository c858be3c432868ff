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

        Starts from no knowledge and keeps what is possible: the lowest and highest
        value of each band, the highest upper band of a falling trend and the lowest
        lower one of a rising trend (infinite where there can be no such trend). A band
        moves to the new level where that is nearer or the close before was beyond it,
        else it stays; a trend turns where the close is beyond its band. One long loop,
        for it runs for each market at each close; it ends where all is known, since
        then it stays so.
        """
        hidden: list[int] = []
        start, size = self._settled - 1, len(window)
        upper_least = lower_least = rising_least = -_INF
        upper_most = lower_most = falling_most = _INF
        for first in range(start, size, _CHUNK):
            bars = self._bands(window, first, min(first + _CHUNK, size))
            for at, (upper, lower, before, close) in enumerate(zip(*bars, strict=True)):
                least, most = max(upper_least, before), min(upper_most, upper)
                upper_most = (
                    upper if upper_least < before or upper_most > upper else most
                )
                upper_least = least if least <= most else upper
                least, most = max(lower_least, lower), min(lower_most, before)
                lower_least = (
                    lower if lower_most > before or lower_least < lower else least
                )
                lower_most = most if least <= most else lower
                may_fall = rising_least < _INF and close <= lower_most
                may_rise = falling_most > -_INF and close > upper_least
                falling_most = min(falling_most, upper)
                if close > falling_most:
                    falling_most = -_INF
                rising_least = max(rising_least, lower)
                if close <= rising_least:
                    rising_least = _INF
                if may_fall:
                    falling_most = max(falling_most, upper_most)
                if may_rise:
                    rising_least = min(rising_least, lower_least)
                rises, falls = falling_most == -_INF, rising_least == _INF
                upper_known = upper_least == upper_most
                lower_known = lower_least == lower_most
                if (rises or falls) and upper_known and lower_known:
                    return hidden
                if first + at >= judged_from and not (
                    (rises and lower_known) or (falls and upper_known)
                ):
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
