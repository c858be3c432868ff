"""Bars into `market_data` through binary COPY."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.bars import VALUES, to_microseconds
from app.models.binary_copy import (
    FLOAT8,
    INT4,
    PG_EPOCH_US,
    TIMESTAMPTZ,
    blank_tuples,
    copy_in,
    label,
)
from app.models.keyed_bars import KeyedBars

COLUMNS = ("cryptocurrency_id", "timeframe", "timestamp", *VALUES, "known_at")

_ROWS_PER_CHUNK = 16_384  # 2 MB of tuples: they stay in the processor's cache


def copy_bars(
    session: Session,
    timeframe: Timeframe,
    bars: KeyedBars,
    known_at: datetime,
    table: str = "market_data",
) -> int:
    """Append `bars`, none of which may be stored yet; how many went in.

    Raises psycopg2.errors.UniqueViolation if one is.
    """
    return copy_in(session, table, COLUMNS, bar_tuples(timeframe, bars, known_at))


def bar_tuples(
    timeframe: Timeframe, bars: KeyedBars, known_at: datetime
) -> Iterator[NDArray[np.void]]:
    """`bars` as tuples of COPY's binary format, chunk by chunk."""
    kinds = (INT4, label(timeframe.value), TIMESTAMPTZ, *[FLOAT8] * 5, TIMESTAMPTZ)
    fields = list(zip(COLUMNS, kinds, strict=True))
    for part in bars.parts(_ROWS_PER_CHUNK):
        tuples = blank_tuples(fields, len(part))
        tuples["cryptocurrency_id"] = part.ids
        tuples["timeframe"] = timeframe.value.encode()
        tuples["timestamp"] = part.opens - PG_EPOCH_US
        for name, column in zip(VALUES, part.values, strict=True):
            tuples[name] = column
        tuples["known_at"] = to_microseconds(known_at) - PG_EPOCH_US
        yield tuples
