"""The last bars of many series, read in one query as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.stored_bars import read_stored_bars


@dataclass(frozen=True, slots=True, eq=False)
class SeriesWindow:
    """Consecutive stored bars of one series, ascending; read-only, contiguous arrays.

    Each has shape (bars,): `open_at` is datetime64[us] in UTC, the others doubles.
    """

    open_at: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_at)


def read_windows(
    session: Session,
    cryptocurrency_ids: Sequence[int],
    timeframe: Timeframe,
    until: datetime,
    bars: int,
) -> dict[int, SeriesWindow]:
    """See `MarketData.get_for_indicators`; raises ValueError for `bars` below 1."""
    if bars < 1:
        raise ValueError(f"bars must be at least 1, got {bars}")
    last = timeframe.floor(until)
    first = timeframe.shift(last, 1 - bars)
    stored = read_stored_bars(session, cryptocurrency_ids, timeframe, first, last)
    times = stored.opens.view("datetime64[us]")
    times.flags.writeable = False
    stored.values.flags.writeable = False
    return {
        key: SeriesWindow(times[at], *(column[at] for column in stored.values))
        for key, at in stored.series()
    }
