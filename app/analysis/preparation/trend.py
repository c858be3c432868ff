"""Straight-line trend of the last bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.analysis.preparation.rolling import reduce_rolling
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class RegressionTrend:
    """Least-squares line through the log closes; arrays of shape (bars,).

    `slope` is in log units a bar (0.001 is 0.1 % a bar), `r_squared` the part of the
    variation that the line explains, in [0, 1]; 0 where the price stood still, for
    there is nothing to explain. NaN for the first bars.
    """

    slope: FloatArray
    r_squared: FloatArray


def regression_trend(window: CandleWindow, bars: int = 50) -> RegressionTrend:
    """Trend over the `bars` bars that end at each bar, missing bars not counted.

    Raises ValueError for fewer than 3 bars: two points always lie on a line.
    """
    if bars < 3:
        raise ValueError(f"a trend over {bars} bars says nothing, must be at least 3")
    log_close = np.log(window.close)
    steps = np.arange(bars) - (bars - 1) / 2
    step_variation = float((steps * steps).sum())

    def slope_of(rows: FloatArray) -> FloatArray:
        rows -= rows[:, :1].copy()  # a constant price becomes exact zeros
        slopes: FloatArray = (rows * steps).sum(axis=1) / step_variation
        return slopes

    def r_squared_of(rows: FloatArray) -> FloatArray:
        slopes = slope_of(rows)
        rows -= rows.mean(axis=1, keepdims=True)
        variation = (rows * rows).sum(axis=1)
        explained = slopes * slopes * step_variation
        ratio = np.divide(
            explained, variation, out=np.zeros_like(explained), where=variation > 0
        )
        bounded: FloatArray = np.minimum(ratio, 1.0)
        return bounded

    return RegressionTrend(
        slope=reduce_rolling(log_close, bars, slope_of),
        r_squared=reduce_rolling(log_close, bars, r_squared_of),
    )
