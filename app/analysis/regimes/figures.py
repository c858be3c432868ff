"""What a regime is read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import talib

from app.analysis.preparation.rolling import rows_of
from app.analysis.regimes.rules import RegimeRules
from app.analysis.window import CandleWindow, FloatArray

# Rows compared at a time, so that a million bars do not become a matrix in memory.
_ROWS = 4096


@dataclass(frozen=True, eq=False, slots=True)
class RegimeFigures:
    """Arrays of shape (bars,); NaN while warming up.

    `ema_slope` is the change of the EMA over `slope_bars`, in ATRs a bar, 0 at a price
    that stands still; `atr_percentile` the part of recent bars whose ATR over close
    was at most this one's, in (0, 1]; `atr` is in price units.
    """

    adx: FloatArray
    ema_slope: FloatArray
    atr_percentile: FloatArray
    atr: FloatArray


def regime_figures(
    window: CandleWindow, rules: RegimeRules, bars: int | None = None
) -> RegimeFigures:
    """Figures at the last `bars` bars of the window (all, by default)."""
    bars = len(window) if bars is None else min(bars, len(window))
    first = len(window) - bars
    ranges = (window.high, window.low, window.close)
    # TA-Lib itself, not the indicators: those compute +DI and -DI along with the ADX.
    adx: FloatArray = talib.ADX(*ranges, rules.adx_period)
    ema: FloatArray = talib.EMA(window.close, rules.ema_period)
    atr: FloatArray = talib.ATR(*ranges, rules.atr_period)
    before = max(0, first - rules.slope_bars)
    slope = _slope(ema[before:], atr[before:], rules.slope_bars)
    return RegimeFigures(
        adx=adx[first:],
        ema_slope=slope[len(slope) - bars :],
        atr_percentile=_percentile(atr / window.close, rules.percentile_bars, bars),
        atr=atr[first:],
    )


def _slope(ema: FloatArray, atr: FloatArray, bars: int) -> FloatArray:
    slope = np.full(len(ema), np.nan)
    if len(ema) > bars:
        change = (ema[bars:] - ema[:-bars]) / bars
        still = np.where(np.isnan(change), np.nan, 0.0)
        slope[bars:] = np.divide(change, atr[bars:], out=still, where=atr[bars:] > 0)
    return slope


def _percentile(relative: FloatArray, period: int, bars: int) -> FloatArray:
    """Rank of each of the last `bars` values among the `period` that end at it."""
    result = np.full(bars, np.nan)
    recent = relative[max(0, len(relative) - bars - period + 1) :]
    if len(recent) < period:
        return result
    rows = rows_of(recent, period)
    ranked = result[bars - len(rows) :]
    ones = np.ones(period, dtype=np.float32)
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        # Counts in floats: exact up to 2**24, and far faster to sum than truth values.
        at_most = (part <= part[:, -1:]).astype(np.float32) @ ones
        ranked[start : start + _ROWS] = at_most
    ranked /= period
    ranked[np.isnan(recent[: len(rows)])] = np.nan  # its oldest value is warming up
    return result
