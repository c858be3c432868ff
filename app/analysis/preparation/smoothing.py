"""Smoothing that a chart cannot cheat with: each value from itself and older ones."""

from __future__ import annotations

from enum import Enum
from typing import assert_never

import numpy as np
import talib

from app.analysis.preparation.rolling import reduce_rolling
from app.analysis.window import FloatArray


class Smoothing(str, Enum):
    """Ways to smooth a series."""

    SIMPLE = "simple"
    EXPONENTIAL = "exponential"
    WEIGHTED = "weighted"
    MEDIAN = "median"


def smooth(
    values: FloatArray, period: int, method: Smoothing = Smoothing.EXPONENTIAL
) -> FloatArray:
    """`values` smoothed over `period` bars, shape kept; NaN for the first ones.

    Causal: there is no centred average here. The exponential one has alpha
    2 / (period + 1) and starts at the first simple mean, as TA-Lib's; the weighted one
    gives the newest value `period` parts, the oldest one part. Raises ValueError for a
    period under 2.
    """
    if period < 2:
        raise ValueError(f"smoothing period is {period}, must be at least 2")
    values = np.ascontiguousarray(values, dtype=np.float64)
    match method:
        case Smoothing.SIMPLE:
            return reduce_rolling(values, period, lambda rows: rows.mean(axis=1))
        case Smoothing.EXPONENTIAL:
            smoothed: FloatArray = talib.EMA(values, period)
            return smoothed
        case Smoothing.WEIGHTED:
            weights = np.arange(1.0, period + 1.0)
            weights /= weights.sum()
            return reduce_rolling(
                values, period, lambda rows: (rows * weights).sum(axis=1)
            )
        case Smoothing.MEDIAN:
            return reduce_rolling(
                values, period, lambda rows: np.median(rows, axis=1).astype(np.float64)
            )
        case _:
            assert_never(method)
