"""How closely a market follows another one."""

from __future__ import annotations

import math

import numpy as np

from app.analysis.window import CandleWindow


def return_correlation(
    window: CandleWindow, benchmark: CandleWindow, bars: int = 100
) -> float | None:
    """Pearson correlation of the log returns of the last `bars` common bars.

    Only bars that both series hold are paired, and a return spans two of them. None
    with fewer than `bars + 1` common bars or where either's returns never vary (a
    price that stood still). The caller hands windows that end at the same bar.
    """
    if window.timeframe is not benchmark.timeframe:
        raise ValueError(
            f"correlation needs one time frame, got {window.timeframe} of "
            f"{window.symbol} and {benchmark.timeframe} of {benchmark.symbol}"
        )
    _, ours, theirs = np.intersect1d(
        window.open_at, benchmark.open_at, assume_unique=True, return_indices=True
    )
    if len(ours) <= bars:
        return None
    own = np.diff(np.log(window.close[ours[-bars - 1 :]]))
    other = np.diff(np.log(benchmark.close[theirs[-bars - 1 :]]))
    own, other = own - own.mean(), other - other.mean()
    own_variation, other_variation = float(own @ own), float(other @ other)
    # Rounding leaves up to some 1e-14 in returns that do not vary. Each series is held
    # to that: next to a lively one, noise would look like a correlation.
    if min(own_variation, other_variation) <= bars * 1e-24:
        return None
    scale = math.sqrt(own_variation) * math.sqrt(other_variation)
    return float(np.clip(own @ other / scale, -1.0, 1.0))
