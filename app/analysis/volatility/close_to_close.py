"""Volatility from closes alone."""

from __future__ import annotations

import numpy as np

from app.analysis.preparation.rolling import reduce_rolling
from app.analysis.window import CandleWindow, FloatArray
from app.domain.timeframe import Timeframe

# Crypto markets never close.
_SECONDS_PER_YEAR = 365 * 24 * 3600


def realized_volatility(window: CandleWindow, bars: int = 30) -> FloatArray:
    """Sample deviation of the last `bars` log returns, per bar, at every bar.

    Needs `bars + 1` bars, NaN before; 0 where the price stood still. Returns over
    missing bars count as one. Raises ValueError for fewer than 2 returns.
    """
    if bars < 2:
        raise ValueError(f"volatility over {bars} returns is undefined, needs 2")
    returns = np.full(len(window), np.nan)
    returns[1:] = np.diff(np.log(window.close))
    return reduce_rolling(returns, bars, sample_deviation)


def sample_deviation(rows: FloatArray) -> FloatArray:
    """Deviation of each row, with one degree of freedom spent; overwrites them."""
    return np.sqrt(sample_variance(rows))


def sample_variance(rows: FloatArray) -> FloatArray:
    """Variance of each row, with one degree of freedom spent; overwrites them."""
    rows -= rows[:, :1].copy()  # that of equal values is exactly zero
    rows -= rows.mean(axis=1, keepdims=True)
    variance: FloatArray = (rows * rows).sum(axis=1) / (rows.shape[1] - 1)
    return variance


def annual_factor(timeframe: Timeframe) -> float:
    """What volatility per bar is multiplied with to be one per year of 365 days."""
    bars = _SECONDS_PER_YEAR / timeframe.duration.total_seconds()
    return float(np.sqrt(bars))
