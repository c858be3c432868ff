"""Bars as they were known at an instant, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg2.errors
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.core.exceptions import NotSettled
from app.domain.timeframe import Timeframe
from app.models.bars import VALUES
from app.models.binary_copy import FLOAT8, INT4, PG_EPOCH_US, TIMESTAMPTZ, copy_out
from app.models.stored_bars import BY_BITMAP

_FIELDS = [
    ("cryptocurrency_id", INT4),
    ("open_at", TIMESTAMPTZ),
    *((name, FLOAT8) for name in VALUES),
    ("known_from", TIMESTAMPTZ),
]
_QUERY = """
SELECT cryptocurrency_id, timestamp, open, high, low, close, volume, known_from
FROM market_data_as_of(%s::timestamptz)
WHERE cryptocurrency_id = ANY (%s::integer[])
  AND timeframe = %s::timeframe
  AND timestamp >= %s::timestamptz AND timestamp < %s::timestamptz
"""


@dataclass(frozen=True, slots=True, eq=False)
class BarsAsOf:
    """Bars of one series as known at an instant, ascending; read-only arrays.

    Each has shape (bars,): `open_at` and `known_from` (when we came to know this
    value) are datetime64[us] in UTC, the others doubles.
    """

    open_at: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    known_from: NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.open_at)


def read_as_of(
    session: Session,
    at: datetime,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
) -> BarsAsOf:
    """Bars of a series that open in [start, end), with the values known at `at`.

    The same rows whenever it is asked. Raises NotSettled for an instant beyond the
    knowledge horizon (`app.models.knowledge.find_horizon`), whose transaction is then
    of no further use.
    """
    found = read_many_as_of(session, at, [cryptocurrency_id], timeframe, start, end)
    return found.get(cryptocurrency_id) or _split(_no_rows())


def read_many_as_of(
    session: Session,
    at: datetime,
    cryptocurrency_ids: Sequence[int],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
) -> dict[int, BarsAsOf]:
    """As `read_as_of` for many series, by market key; those without bars left out."""
    ids = sorted(set(cryptocurrency_ids))
    given = (at, ids, timeframe.value, start, end)
    try:
        rows = copy_out(session, _QUERY, given, _FIELDS, BY_BITMAP)
    except psycopg2.errors.ObjectNotInPrerequisiteState as error:
        raise NotSettled(str(error).partition("\n")[0]) from error
    keys = rows["cryptocurrency_id"].astype(np.int32)
    # Sorted here: cheaper than in the server, which could not send meanwhile.
    order = np.lexsort((rows["open_at"], keys))
    rows, keys = rows[order], keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1)).tolist()
    ends = [*starts[1:], len(keys)]
    return {
        int(keys[first]): _split(rows[first:last])
        for first, last in zip(starts, ends, strict=False)
    }


def _split(rows: NDArray[np.void]) -> BarsAsOf:
    values = np.stack([rows[name].astype(np.float64) for name in VALUES])
    opens, known_from = _times(rows["open_at"]), _times(rows["known_from"])
    for column in (values, opens, known_from):
        column.flags.writeable = False
    open_, high, low, close, volume = values
    return BarsAsOf(opens, open_, high, low, close, volume, known_from)


def _times(column: NDArray[np.int64]) -> NDArray[np.datetime64]:
    return (column.astype(np.int64) + PG_EPOCH_US).view("datetime64[us]")


def _no_rows() -> NDArray[np.void]:
    return np.empty(0, np.dtype(_FIELDS))
