"""Stored bars as the columns that checks read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.analysis.plausibility.columns import BarColumns
from app.domain.timeframe import Timeframe
from app.models.bars import VALUES
from app.models.stored_bars import read_stored_bars


def read_columns(
    session: Session,
    cryptocurrency_ids: Sequence[int],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
) -> dict[int, BarColumns]:
    """Bars that open in [start, end) by market key; one without any is left out."""
    if end <= start:
        return {}
    last = timeframe.shift(timeframe.ceil(end), -1)
    stored = read_stored_bars(session, cryptocurrency_ids, timeframe, start, last)
    return {
        key: BarColumns(stored.opens[at], *(column[at] for column in stored.values))
        for key, at in stored.series()
    }


def columns_of(bars: NDArray[np.void]) -> BarColumns:
    """The columns of an array of `BAR_DTYPE`."""
    values = (np.ascontiguousarray(bars[name]) for name in VALUES)
    return BarColumns(np.ascontiguousarray(bars["open_at"]), *values)
