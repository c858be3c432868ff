"""The last bars of many series, read in one query as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.bars import VALUES
from app.models.binary_copy import FLOAT8, INT4, PG_EPOCH_US, TIMESTAMPTZ, copy_out

_FIELDS = [
    ("cryptocurrency_id", INT4),
    ("open_at", TIMESTAMPTZ),
    *((name, FLOAT8) for name in VALUES),
]

# One time bound for all series: an index range each on a time-ordered heap touches
# a page per bar, this reads the pages of the last hours once.
_QUERY = """
SELECT cryptocurrency_id, timestamp, open, high, low, close, volume
FROM market_data
WHERE cryptocurrency_id = ANY (%s::integer[])
  AND timeframe = %s::timeframe
  AND timestamp BETWEEN %s::timestamptz AND %s::timestamptz
"""


@dataclass(frozen=True, slots=True)
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
    ids = sorted(set(cryptocurrency_ids))
    rows = copy_out(session, _QUERY, (ids, timeframe.value, first, last), _FIELDS)
    # 1. Sort here: cheaper than in the server, which would sort while it sends.
    keys = rows["cryptocurrency_id"].astype(np.int32)
    opens = rows["open_at"].astype(np.int64) + PG_EPOCH_US
    order = np.lexsort((opens, keys))
    keys, opens = keys[order], opens[order]
    values = [rows[name].astype(np.float64)[order] for name in VALUES]
    for column in (opens, *values):
        column.flags.writeable = False
    times = opens.view("datetime64[us]")
    # 2. Cut into series: views into the sorted columns.
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    ends = np.append(starts[1:], len(keys))
    return {
        int(keys[start]): SeriesWindow(
            times[start:end], *(column[start:end] for column in values)
        )
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    }
