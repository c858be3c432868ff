"""Stored bars of many series, read as columns through binary COPY."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.bars import VALUES
from app.models.binary_copy import FLOAT8, INT4, PG_EPOCH_US, TIMESTAMPTZ, copy_out
from app.models.keyed_bars import KeyedBars

_FIELDS = [
    ("cryptocurrency_id", INT4),
    ("open_at", TIMESTAMPTZ),
    *((name, FLOAT8) for name in VALUES),
]

# One time bound for all series, and a bitmap of the pages that hold them: bars lie in
# the order in which they were collected, so that walking the index would touch a page
# per bar (150,000 for 300 bars of 500 series), while this touches each page once. The
# planner takes the two for about equal, so it is told.
BY_BITMAP = {"enable_indexscan": "off"}
_QUERY = """
SELECT cryptocurrency_id, timestamp, open, high, low, close, volume
FROM market_data
WHERE cryptocurrency_id = ANY (%s::integer[])
  AND timeframe = %s::timeframe
  AND timestamp BETWEEN %s::timestamptz AND %s::timestamptz
"""


def read_stored_bars(
    session: Session,
    cryptocurrency_ids: Sequence[int],
    timeframe: Timeframe,
    first: datetime,
    last: datetime,
) -> KeyedBars:
    """Bars of these series that open in [first, last], both included."""
    ids = sorted(set(cryptocurrency_ids))
    rows = copy_out(
        session, _QUERY, (ids, timeframe.value, first, last), _FIELDS, BY_BITMAP
    )
    values = np.empty((len(VALUES), len(rows)))
    for column, name in zip(values, VALUES, strict=True):
        column[:] = rows[name]
    # Sorted here: cheaper than in the server, which could not send meanwhile.
    return KeyedBars.sorted(
        rows["cryptocurrency_id"].astype(np.int32),
        rows["open_at"].astype(np.int64) + PG_EPOCH_US,
        values,
    )
