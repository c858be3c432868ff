"""Bars of a larger time frame, made from those of a smaller one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.analysis.preparation.grid import close_times, divides, floor_times, step_of
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class ResampledOhlcv:
    """Larger bars and how much of each was there; all arrays of shape (bars,).

    `window` holds a bar for every bucket of which at least one smaller bar was there,
    the unfinished last one included. `found_bars` of `expected_bars` smaller bars made
    it; only a bar with all of them is complete. A bar that lacks some is what the rest
    of them show, which no exchange would have published.
    """

    window: CandleWindow
    found_bars: IntArray
    expected_bars: IntArray

    @property
    def is_complete(self) -> BoolArray:
        """Whether each bar was made from all of its smaller bars."""
        complete: BoolArray = self.found_bars == self.expected_bars
        return complete

    def complete(self) -> CandleWindow:
        """The complete bars alone; the others are missing bars of that window."""
        window, kept = self.window, self.is_complete
        return CandleWindow(
            window.symbol,
            window.timeframe,
            window.open_at[kept],
            window.open[kept],
            window.high[kept],
            window.low[kept],
            window.close[kept],
            window.volume[kept],
        )


def resample_ohlcv(window: CandleWindow, timeframe: Timeframe) -> ResampledOhlcv:
    """The window as bars of a larger calendar time frame.

    Weeks start on Monday, months are calendar months, all in UTC. Nothing is invented:
    a bucket without any smaller bar has no bar.

    Raises ValueError where a bar of `timeframe` is not made of whole smaller bars (an
    equal or smaller time frame, 8h from 6h, months from weeks).
    """
    if not divides(window.timeframe, timeframe):
        raise ValueError(
            f"{timeframe} bars cannot be made from {window.timeframe} bars: they must "
            "be larger and hold a whole number of them"
        )
    buckets = floor_times(window.open_at, timeframe)
    is_first = np.ones(len(window), dtype=bool)
    is_first[1:] = buckets[1:] != buckets[:-1]
    starts = np.flatnonzero(is_first)
    open_at = buckets[starts]
    ends = np.append(starts[1:], len(window))
    if not len(starts):
        columns = [window.open] * 5
    else:
        columns = [
            window.open[starts],
            np.maximum.reduceat(window.high, starts),
            np.minimum.reduceat(window.low, starts),
            window.close[ends - 1],
            np.add.reduceat(window.volume, starts),
        ]
    lengths = close_times(open_at, timeframe) - open_at
    return ResampledOhlcv(
        CandleWindow(window.symbol, timeframe, open_at, *columns),
        found_bars=(ends - starts).astype(np.int64),
        expected_bars=(lengths // step_of(window.timeframe)).astype(np.int64),
    )
