"""The bars that two markets have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.analysis.window import CandleWindow

IntArray = npt.NDArray[np.int64]

# Rounding leaves up to some 1e-14 in log returns that do not vary: less than this in
# the squares of each is no variation.
NO_VARIATION = 1e-24


def common_bars(
    window: CandleWindow, benchmark: CandleWindow
) -> tuple[IntArray, IntArray]:
    """Places of the bars that both hold, in either window, ascending.

    Raises ValueError where the time frames differ.
    """
    if window.timeframe is not benchmark.timeframe:
        raise ValueError(
            f"common bars need one time frame, got {window.timeframe} of "
            f"{window.symbol} and {benchmark.timeframe} of {benchmark.symbol}"
        )
    if np.array_equal(window.open_at, benchmark.open_at):
        every = np.arange(len(window))
        return every, every
    _, ours, theirs = np.intersect1d(
        window.open_at, benchmark.open_at, assume_unique=True, return_indices=True
    )
    return ours, theirs
