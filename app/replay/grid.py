"""Calendar arithmetic of time frames on epoch milliseconds, vectorised."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from app.domain.timeframe import Timeframe

Milliseconds = NDArray[np.int64]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
# 1970-01-05 was a Monday.
_MONDAY_MS = 4 * DAY_MS
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds of an aware `moment`, exactly."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def to_datetime(moment_ms: int) -> datetime:
    """The aware UTC instant of `moment_ms`."""
    return _EPOCH + timedelta(milliseconds=moment_ms)


def step_ms(timeframe: Timeframe) -> int:
    """Nominal length of a bar; a month's is only an estimate."""
    return timeframe.duration // timedelta(milliseconds=1)


def floor_all(moments: Milliseconds, timeframe: Timeframe) -> Milliseconds:
    """Open times of the bars that contain `moments`."""
    if timeframe.is_month:
        months = moments.astype("datetime64[ms]").astype("datetime64[M]")
        return months.astype("datetime64[ms]").astype(np.int64)
    origin = _MONDAY_MS if timeframe is Timeframe.W1 else 0
    step = step_ms(timeframe)
    return (moments - origin) // step * step + origin


def floor(moment_ms: int, timeframe: Timeframe) -> int:
    """Open time of the bar that contains `moment_ms`."""
    if timeframe.is_month:
        return int(floor_all(np.array([moment_ms], dtype=np.int64), timeframe)[0])
    origin = _MONDAY_MS if timeframe is Timeframe.W1 else 0
    step = step_ms(timeframe)
    return (moment_ms - origin) // step * step + origin


def shift(open_ms: int, timeframe: Timeframe, bars: int) -> int:
    """Open time `bars` bars after (before, if negative) the bar at `open_ms`."""
    if timeframe.is_month:
        month = np.datetime64(open_ms, "ms").astype("datetime64[M]")
        moved = (month + np.timedelta64(bars, "M")).astype("datetime64[ms]")
        return int(moved.astype(np.int64))
    return open_ms + bars * step_ms(timeframe)


def ceil(moment_ms: int, timeframe: Timeframe) -> int:
    """Open time of the first bar that opens at or after `moment_ms`."""
    opened = floor(moment_ms, timeframe)
    return opened if opened == moment_ms else shift(opened, timeframe, 1)


def close_all(opens: Milliseconds, timeframe: Timeframe) -> Milliseconds:
    """The instants at which the bars that opened at `opens` are complete."""
    if timeframe.is_month:
        months = opens.astype("datetime64[ms]").astype("datetime64[M]")
        return (months + 1).astype("datetime64[ms]").astype(np.int64)
    return opens + step_ms(timeframe)
