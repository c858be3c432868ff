"""The calendar of a time frame for whole arrays of times.

The same answers as `Timeframe.floor` and `Timeframe.close_of`, without a Python object
for each bar.
"""

from __future__ import annotations

import numpy as np

from app.analysis.window import TimeArray
from app.domain.timeframe import Timeframe

# Weeks open on Mondays; 1970-01-05 was the first one after the epoch.
_WEEK_ORIGIN = np.datetime64("1970-01-05", "us")
_EPOCH = np.datetime64("1970-01-01", "us")


def step_of(timeframe: Timeframe) -> np.timedelta64:
    """Length of a bar. Raises ValueError for months, which differ in length."""
    if timeframe.is_month:
        raise ValueError("calendar months have no fixed length")
    return np.timedelta64(int(timeframe.duration.total_seconds()), "s")


def floor_times(times: TimeArray, timeframe: Timeframe) -> TimeArray:
    """Open times of the bars that contain `times` (datetime64[us], UTC)."""
    if timeframe.is_month:
        return times.astype("datetime64[M]").astype("datetime64[us]")
    origin = _WEEK_ORIGIN if timeframe is Timeframe.W1 else _EPOCH
    step = step_of(timeframe)
    floored: TimeArray = origin + (times - origin) // step * step
    return floored


def shift_times(open_at: TimeArray, timeframe: Timeframe, bars: int) -> TimeArray:
    """Open times `bars` bars after (before, if negative) aligned open times."""
    if timeframe.is_month:
        months = open_at.astype("datetime64[M]") + np.timedelta64(bars, "M")
        return months.astype("datetime64[us]")
    shifted: TimeArray = open_at + bars * step_of(timeframe)
    return shifted


def close_times(open_at: TimeArray, timeframe: Timeframe) -> TimeArray:
    """The instants at which the bars that opened at `open_at` were complete."""
    return shift_times(open_at, timeframe, 1)


def divides(lower: Timeframe, higher: Timeframe) -> bool:
    """Whether each bar of `higher` is made of whole bars of `lower`, more than one."""
    if lower.is_month or lower is higher:
        return False
    if higher.is_month:
        return lower is not Timeframe.W1  # weeks straddle the ends of months
    return higher.duration > lower.duration and not higher.duration % lower.duration
