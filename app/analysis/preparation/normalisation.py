"""Values on a common scale that was fitted before they were seen.

A scaler fitted on a whole series tells each bar how far the series will still go. Here
the yardstick of a bar is made of the bars before it alone: the bar itself is left out
too, so that an outlier does not shrink itself. NaN in, or no yardstick, is NaN out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

import numpy as np

from app.analysis.preparation.rolling import reduce_rolling
from app.analysis.window import FloatArray


def rolling_zscore(values: FloatArray, period: int) -> FloatArray:
    """Distance from the mean of the `period` values before, in their deviations.

    Population deviation. Where those values are all equal, an equal one is 0 and
    another one NaN: it cannot be measured in deviations of 0.
    """
    values = _floats(values)
    before = _before(values)
    return _score(
        values,
        reduce_rolling(before, period, _mean),
        reduce_rolling(before, period, _deviation),
    )


def expanding_zscore(values: FloatArray, min_bars: int = 20) -> FloatArray:
    """The same against all values before, of which there are at least `min_bars`.

    `values` must start without NaN.
    """
    values = _floats(values)
    shift = values[0] if len(values) else 0.0
    # Sums of distances from the first value: with it among the values, their square
    # cannot drown the variation, which is what ruins this formula elsewhere.
    distances = values - shift
    counts = np.arange(1.0, len(values) + 1.0)
    means = np.cumsum(distances) / counts
    variances = np.cumsum(distances * distances) / counts - means * means
    deviations = np.sqrt(np.maximum(variances, 0.0))
    flat = np.minimum.accumulate(values) == np.maximum.accumulate(values)
    deviations[flat] = 0.0
    scores = _score(values, _before(means) + shift, _before(deviations))
    scores[:min_bars] = np.nan
    return scores


def rolling_min_max(values: FloatArray, period: int) -> FloatArray:
    """0 at the least of the `period` values before, 1 at their greatest.

    Outside of [0, 1] where the value leaves their range. 0.5 where they are all equal
    and the value equals them, NaN where it does not.
    """
    values = _floats(values)
    before = _before(values)
    return _scale(
        values,
        reduce_rolling(before, period, lambda rows: rows.min(axis=1)),
        reduce_rolling(before, period, lambda rows: rows.max(axis=1)),
    )


def expanding_min_max(values: FloatArray, min_bars: int = 20) -> FloatArray:
    """The same against all values before, of which there are at least `min_bars`."""
    values = _floats(values)
    least = _before(np.minimum.accumulate(values))
    greatest = _before(np.maximum.accumulate(values))
    scaled = _scale(values, least, greatest)
    scaled[:min_bars] = np.nan
    return scaled


def rolling_rank(values: FloatArray, period: int) -> FloatArray:
    """Part of the `period` values before that lie below, equal ones by half; [0, 1]."""
    values = _floats(values)

    def rank(rows: FloatArray) -> FloatArray:
        past, own = rows[:, :-1], rows[:, -1:]
        below = (past < own).sum(axis=1) + 0.5 * (past == own).sum(axis=1)
        unknown = np.isnan(rows).any(axis=1)
        return np.where(unknown, np.nan, below / period)

    return reduce_rolling(values, period + 1, rank)


def expanding_rank(values: FloatArray, min_bars: int = 20) -> FloatArray:
    """The same against all values before, of which there are at least `min_bars`.

    `values` must hold no NaN.
    """
    values = _floats(values)
    ranks, past = np.full(len(values), np.nan), list[float]()
    for bar, value in enumerate(values.tolist()):
        if bar >= max(min_bars, 1):
            ranks[bar] = (bisect_left(past, value) + bisect_right(past, value)) / (
                2 * bar
            )
        insort(past, value)
    return ranks


def _floats(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)


def _before(values: FloatArray) -> FloatArray:
    """Each value's predecessor; NaN for the first."""
    return np.concatenate((np.full(min(len(values), 1), np.nan), values[:-1]))


def _mean(rows: FloatArray) -> FloatArray:
    first = rows[:, 0].copy()
    rows -= first[:, np.newaxis]  # the mean of equal values is exactly that value
    mean: FloatArray = first + rows.mean(axis=1)
    return mean


def _deviation(rows: FloatArray) -> FloatArray:
    rows -= rows[:, :1].copy()  # that of equal values is exactly zero
    rows -= rows.mean(axis=1, keepdims=True)
    deviation: FloatArray = np.sqrt((rows * rows).mean(axis=1))
    return deviation


def _score(values: FloatArray, mean: FloatArray, deviation: FloatArray) -> FloatArray:
    scores = np.full(len(values), np.nan)
    np.divide(values - mean, deviation, out=scores, where=deviation > 0)
    scores[(deviation == 0) & (values == mean)] = 0.0
    return scores


def _scale(values: FloatArray, least: FloatArray, greatest: FloatArray) -> FloatArray:
    spread, scaled = greatest - least, np.full(len(values), np.nan)
    np.divide(values - least, spread, out=scaled, where=spread > 0)
    scaled[(spread == 0) & (values == least)] = 0.5
    return scaled
