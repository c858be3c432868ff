"""Volatility from open, high, low and close: as precise with far fewer bars.

Closes see a bar's end points only. Both estimators here take its range into account;
they assume that prices were watched all the time, and read low where few trades were.
"""

from __future__ import annotations

import math

import numpy as np

from app.analysis.preparation.rolling import reduce_rolling
from app.analysis.volatility.close_to_close import sample_variance
from app.analysis.window import CandleWindow, FloatArray


def garman_klass(window: CandleWindow, bars: int = 30) -> FloatArray:
    """Garman-Klass volatility of the last `bars` bars, per bar, at every bar.

    The root of the mean of `0.5 ln(H/L)^2 - (2 ln 2 - 1) ln(C/O)^2`. Assumes no drift
    and no jump between bars. Source: Garman and Klass 1980, "On the Estimation of
    Security Price Volatilities from Historical Data", Journal of Business 53(1),
    the practical estimator with seven times the efficiency of closes.
    """
    _require(bars, at_least=1)
    body = np.log(window.close / window.open)
    high, low = _range(window)
    variance = 0.5 * np.square(high - low) - (2 * math.log(2) - 1) * np.square(body)
    return np.sqrt(reduce_rolling(variance, bars, _mean))


def yang_zhang(window: CandleWindow, bars: int = 30) -> FloatArray:
    """Yang-Zhang volatility of the last `bars` bars, per bar, at every bar.

    The root of `V_o + k V_c + (1 - k) V_rs`: sample variances of the jumps ln(O/C of
    the bar before) and of the bodies ln(C/O), the mean of Rogers and Satchell's
    `u (u - c) + d (d - c)`, and k = 0.34 / (1.34 + (n + 1) / (n - 1)). Independent of
    drift and of jumps between bars. Needs `bars + 1` bars. Source: Yang and Zhang 2000,
    "Drift-Independent Volatility Estimation Based on High, Low, Open, and Close
    Prices", Journal of Business 73(3).
    """
    _require(bars, at_least=2)
    jump = np.full(len(window), np.nan)
    jump[1:] = np.log(window.open[1:] / window.close[:-1])
    body = np.log(window.close / window.open)
    high, low = _range(window)
    rogers_satchell = high * (high - body) + low * (low - body)
    k = 0.34 / (1.34 + (bars + 1) / (bars - 1))
    variance = (
        reduce_rolling(jump, bars, sample_variance)
        + k * reduce_rolling(body, bars, sample_variance)
        + (1 - k) * reduce_rolling(rogers_satchell, bars, _mean)
    )
    return np.sqrt(variance)


def _range(window: CandleWindow) -> tuple[FloatArray, FloatArray]:
    """Log high and low over the open.

    Some exchanges report an open or close outside of the range of the trades; the
    range is widened to hold them, else a variance could be negative.
    """
    high = np.maximum(window.high, np.maximum(window.open, window.close))
    low = np.minimum(window.low, np.minimum(window.open, window.close))
    return np.log(high / window.open), np.log(low / window.open)


def _mean(rows: FloatArray) -> FloatArray:
    mean: FloatArray = rows.mean(axis=1)
    return mean


def _require(bars: int, at_least: int) -> None:
    if bars < at_least:
        raise ValueError(f"volatility over {bars} bars, needs at least {at_least}")
