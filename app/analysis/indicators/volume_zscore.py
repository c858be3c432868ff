"""Volume as a z-score, and its spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from app.analysis.indicators.base import Indicator
from app.analysis.rolling import rolling_sum
from app.analysis.window import CandleWindow, FloatArray

# Below this share of the mean square, a variance from sums is mostly rounding.
_ILL_CONDITIONED = 1e-6
# Deviations from the mean under this share of it are rounding.
_STILL = 1e-12


@dataclass(frozen=True, slots=True)
class VolumeZScore(Indicator):
    """Standard deviations between a bar's volume and the mean of the bars before it.

    The bar itself is left out of its yardstick, which is the mean and population
    deviation of the `period` bars before. The spike is 1 where the score is at least
    `spike`, else 0. Where those bars' volumes do not vary, a volume like theirs scores
    0 and any other has no score.
    """

    name: ClassVar[str] = "volume_zscore"
    aliases: ClassVar[tuple[str, ...]] = ("volume_z_score", "volume_spike")

    period: int = 20
    spike: float = 3.0

    @property
    def outputs(self) -> tuple[str, ...]:
        return (
            f"volume_zscore_{self.period}",
            f"volume_spike_{self.period}_{self.spike:g}",
        )

    @property
    def bars_needed(self) -> int:
        return self.period + 1

    @property
    def undefined_when(self) -> str | None:
        return f"the {self.period} volumes before are all alike, this one is not"

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        score, spike = np.full((2, len(window)), np.nan)
        if len(window) > self.period:
            score[self.period :] = _scores(window.volume, self.period)
            np.greater_equal(score, self.spike, out=spike, where=~np.isnan(score))
        return score, spike


def _scores(volume: FloatArray, period: int) -> FloatArray:
    """Scores of the bars from `period` on."""
    mean = rolling_sum(volume, period)[period - 1 : -1] / period
    square = rolling_sum(volume * volume, period)[period - 1 : -1] / period
    variance = square - mean * mean
    # Written so that a variance that overflowed to NaN is doubtful too.
    doubtful = np.flatnonzero(~(variance > _ILL_CONDITIONED * square))
    if len(doubtful):
        spans = volume[doubtful[:, np.newaxis] + np.arange(period)]
        variance[doubtful] = spans.var(axis=1)
    away = volume[period:] - mean
    away[np.abs(away) <= _STILL * mean] = 0.0
    deviation = np.sqrt(variance)
    deviation[deviation <= _STILL * mean] = 0.0
    scores = np.where(away == 0.0, 0.0, np.nan)
    np.divide(away, deviation, out=scores, where=deviation > 0)
    return scores
