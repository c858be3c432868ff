"""Values of a larger time frame beside the bars of a smaller one, without look-ahead.

Joining by open time is the usual mistake: the day's bar opens at midnight with the
hour's, and its close is known a day later. Here a bar counts from its close on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.analysis.preparation.grid import close_times, floor_times, shift_times
from app.analysis.window import CandleWindow, FloatArray
from app.core.exceptions import BadData

IntArray = npt.NDArray[np.int64]


def closed_bar_index(lower: CandleWindow, higher: CandleWindow) -> IntArray:
    """For each bar of `lower`, the bar of `higher` to read at its close.

    That is the newest one that had closed by then (a close at the same instant
    counts). Shape (bars of lower,); -1 where that bar is not in `higher`: an older one
    is not carried forward in the place of a missing one.

    Raises ValueError where the higher time frame is the shorter one.
    """
    if higher.timeframe.duration < lower.timeframe.duration:
        raise ValueError(
            f"bars of {lower.timeframe} cannot be lined up with those of the shorter "
            f"{higher.timeframe}; resample them"
        )
    closes = close_times(lower.open_at, lower.timeframe)
    wanted = shift_times(floor_times(closes, higher.timeframe), higher.timeframe, -1)
    index = np.searchsorted(higher.open_at, wanted).astype(np.int64)
    is_there = index < len(higher)
    is_there[is_there] = higher.open_at[index[is_there]] == wanted[is_there]
    index[~is_there] = -1
    return index


def align_values(values: FloatArray, index: IntArray) -> FloatArray:
    """`values` of larger bars beside the smaller ones that `index` was made for.

    `values` has a value for each bar of `higher`, `index` is what `closed_bar_index`
    gave. The result has the shape of `index`, with NaN where it is -1. Raises BadData
    where `index` reaches past `values`: they are of other bars.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(index) and index.max() >= len(values):
        raise BadData(
            f"alignment reaches bar {index.max()}, must be under the {len(values)} "
            "bars there are values of"
        )
    aligned = np.full(len(index), np.nan)
    known = index >= 0
    aligned[known] = values[index[known]]
    return aligned
