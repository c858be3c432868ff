"""How volatile a market is now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.analysis.indicators.volatility import Atr
from app.analysis.volatility.close_to_close import annual_factor, realized_volatility
from app.analysis.volatility.range_based import garman_klass, yang_zhang
from app.analysis.window import CandleWindow, FloatArray

_ATR = Atr(14)


@dataclass(frozen=True, slots=True)
class VolatilityReading:
    """Volatility at the last bar; None where the window is too short for a part.

    `realized`, `garman_klass` and `yang_zhang` are deviations of log returns per bar
    (0.01 is 1 %), `annualized` is Yang-Zhang's per year of 365 days. `atr_ratio` is
    ATR(14) over the close, `atr_percentile` the part of the last bars whose ratio was
    at most this one, in (0, 1].
    """

    realized: float | None
    garman_klass: float | None
    yang_zhang: float | None
    annualized: float | None
    atr_ratio: float | None
    atr_percentile: float | None


def volatility_needs(bars: int = 30, percentile_bars: int = 100) -> dict[str, int]:
    """Bars after which each part can be read."""
    return {
        "realized": bars + 1,
        "garman_klass": bars,
        "yang_zhang": bars + 1,
        "annualized": bars + 1,
        "atr_ratio": _ATR.bars_needed,
        "atr_percentile": _ATR.bars_needed + percentile_bars - 1,
    }


def volatility_bars_needed(bars: int = 30, percentile_bars: int = 100) -> int:
    """Bars after which all of them can be read."""
    return max(volatility_needs(bars, percentile_bars).values())


def read_volatility(
    window: CandleWindow, bars: int = 30, percentile_bars: int = 100
) -> VolatilityReading:
    """Volatility over the last `bars` bars, and the ATR next to `percentile_bars`."""
    recent = window.last(bars + 1)
    by_yang_zhang = _last(yang_zhang(recent, bars))
    ratio, percentile = _atr(window, percentile_bars)
    return VolatilityReading(
        realized=_last(realized_volatility(recent, bars)),
        garman_klass=_last(garman_klass(recent, bars)),
        yang_zhang=by_yang_zhang,
        annualized=(
            None
            if by_yang_zhang is None
            else by_yang_zhang * annual_factor(window.timeframe)
        ),
        atr_ratio=ratio,
        atr_percentile=percentile,
    )


def _atr(window: CandleWindow, bars: int) -> tuple[float | None, float | None]:
    needed = _ATR.bars_needed + bars - 1
    if len(window) < _ATR.bars_needed:
        return None, None
    recent = window.last(needed)
    ratios = _ATR.series(recent)[0] / recent.close
    ratio = float(ratios[-1])
    if len(window) < needed:
        return ratio, None
    return ratio, float(np.mean(ratios[-bars:] <= ratio))


def _last(values: FloatArray) -> float | None:
    return None if not len(values) or np.isnan(values[-1]) else float(values[-1])
