"""How closely a market follows another one."""

from __future__ import annotations

import math

import numpy as np

from app.analysis.common_bars import NO_VARIATION, common_bars
from app.analysis.window import CandleWindow


def return_correlation(
    window: CandleWindow, benchmark: CandleWindow, bars: int = 100
) -> float | None:
    """Pearson correlation of the log returns of the last `bars` common bars.

    Only bars that both series hold are paired, and a return spans two of them. None
    with fewer than `bars + 1` common bars or where either's returns never vary (a
    price that stood still). The caller hands windows that end at the same bar.
    """
    ours, theirs = common_bars(window, benchmark)
    if len(ours) <= bars:
        return None
    own = np.diff(np.log(window.close[ours[-bars - 1 :]]))
    other = np.diff(np.log(benchmark.close[theirs[-bars - 1 :]]))
    own, other = own - own.mean(), other - other.mean()
    # Sums of products, not `@`: BLAS adds up in another order on other processors.
    own_variation = float((own * own).sum())
    other_variation = float((other * other).sum())
    # Each series is held to this: next to a lively one, rounding noise would look like
    # a correlation.
    if min(own_variation, other_variation) <= bars * NO_VARIATION:
        return None
    scale = math.sqrt(own_variation) * math.sqrt(other_variation)
    return float(np.clip((own * other).sum() / scale, -1.0, 1.0))
