"""Whether the last bar traded unusually much or little."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from app.analysis.window import CandleWindow


class VolumeAnomaly(str, Enum):
    """How a bar's volume compares with the bars before it."""

    NONE = "none"
    SPIKE = "spike"
    DRY_UP = "dry_up"


@dataclass(frozen=True, slots=True)
class VolumeReading:
    """Volume of the last bar next to the bars before it, itself left out.

    `ratio` is over their median, `zscore` in their population deviations from their
    mean, `percentile` the part of them that traded less (equal ones by half). All are
    None with too few bars; `ratio` also where most of them traded nothing, `zscore`
    also where they all traded the same and this one did not.
    """

    anomaly: VolumeAnomaly | None
    ratio: float | None
    zscore: float | None
    percentile: float | None


def read_volume(
    window: CandleWindow,
    bars: int = 50,
    spike_zscore: float = 3.0,
    spike_ratio: float = 2.0,
    dry_ratio: float = 0.2,
) -> VolumeReading:
    """The last bar's volume next to the `bars` bars before it.

    A spike is both: `spike_ratio` medians and `spike_zscore` deviations above the mean
    (the ratio alone, where there is no deviation; any volume, where there was none). A
    bar with at most `dry_ratio` medians has dried up.
    """
    if len(window) <= bars:
        return VolumeReading(None, None, None, None)
    before, own = window.volume[-bars - 1 : -1], float(window.volume[-1])
    median, mean = float(np.median(before)), float(before.mean())
    deviation = float(np.sqrt(np.square(before - mean).mean()))
    # Rounding of the mean must not look like spread.
    if before.min() < before.max() and deviation > 0:
        zscore: float | None = (own - mean) / deviation
    else:
        zscore = 0.0 if own == before[0] else None
    ratio = own / median if median > 0 else None
    below = float(np.mean(before < own)) + 0.5 * float(np.mean(before == own))
    return VolumeReading(
        _judge(own, ratio, zscore, spike_ratio, spike_zscore, dry_ratio),
        ratio,
        zscore,
        below,
    )


def _judge(
    own: float,
    ratio: float | None,
    zscore: float | None,
    spike_ratio: float,
    spike_zscore: float,
    dry_ratio: float,
) -> VolumeAnomaly:
    is_far = zscore >= spike_zscore if zscore is not None else True
    if ratio is None:
        # Trading where there was almost none.
        return VolumeAnomaly.SPIKE if own > 0 and is_far else VolumeAnomaly.NONE
    if ratio >= spike_ratio and is_far:
        return VolumeAnomaly.SPIKE
    return VolumeAnomaly.DRY_UP if ratio <= dry_ratio else VolumeAnomaly.NONE
