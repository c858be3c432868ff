"""Open times from whatever form they came in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from app.core.exceptions import BadData

# No crypto market is older than Bitcoin's first block; seconds or microseconds read
# as milliseconds land far outside of these bounds.
_EARLIEST_MS = 1_230_940_800_000  # 2009-01-03
_LATEST_MS = 7_258_118_400_000  # 2200-01-01


def to_utc_index(values: Any) -> pd.DatetimeIndex:
    """Open times as a UTC index named `open_at`, in microseconds, order kept.

    Numbers are milliseconds since 1970, as ccxt gives them. Texts are ISO 8601. A time
    without a zone is taken as UTC; one with another zone is converted.

    Raises BadData for a missing time, a text that is no time, and for numbers that
    cannot be milliseconds.
    """
    index = pd.Index(values)
    if not len(index):
        parsed = pd.DatetimeIndex([], tz="UTC")
    elif pd.api.types.is_numeric_dtype(index.dtype):
        parsed = _from_milliseconds(index)
    else:
        try:
            parsed = pd.DatetimeIndex(pd.to_datetime(index, utc=True, format="ISO8601"))
        except (TypeError, ValueError) as error:
            raise BadData(f"open times cannot be read: {error}") from error
    if parsed.hasnans:
        row = int(np.argmax(parsed.isna()))
        raise BadData(f"open time of row {row} is missing, every bar must have one")
    return parsed.as_unit("us").rename("open_at")


def _from_milliseconds(index: pd.Index[Any]) -> pd.DatetimeIndex:
    numbers = index.to_numpy(dtype=np.float64)
    outside = ~((numbers >= _EARLIEST_MS) & (numbers < _LATEST_MS))
    if outside.any():
        row = int(np.argmax(outside))
        raise BadData(
            f"open time of row {row} is {index[row]}, must be milliseconds since 1970 "
            f"in [{_EARLIEST_MS}, {_LATEST_MS})"
        )
    moments = numbers.astype(np.int64) * 1_000
    return pd.DatetimeIndex(moments.astype("datetime64[us]"), tz="UTC")
