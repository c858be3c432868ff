"""From bars in any form to a window that indicators can be computed on."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd

from app.analysis.preparation.frames import (
    OHLCV_COLUMNS,
    OhlcvInput,
    ohlcv_to_dataframe,
)
from app.analysis.preparation.grid import close_times
from app.analysis.preparation.validation import require_valid_ohlcv
from app.analysis.window import CandleWindow, TimeArray
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe


def prepare_for_indicators(
    data: OhlcvInput,
    timeframe: Timeframe | None = None,
    *,
    symbol: str = "",
    min_bars: int = 1,
    closed_by: datetime | None = None,
) -> CandleWindow:
    """The bars as a checked window, ready for every function of this room.

    Rows are sorted by time and a row that repeats another one exactly is dropped, as
    overlapping pages of an exchange need it; nothing else is mended and no bar is
    invented (`missing_bars` counts those that are not there). `timeframe` is read off
    the distances of the bars where it is not given. With `closed_by`, bars that were
    not complete at that instant are dropped: exchanges deliver the running bar too.

    Raises BadData with the first problem, as `validate_ohlcv_data` words it.
    """
    if isinstance(data, CandleWindow):
        window, symbol = data, symbol or data.symbol
        timeframe = timeframe or data.timeframe
        if timeframe is not data.timeframe:
            raise BadData(f"window holds {data.timeframe} bars, {timeframe} was asked")
        if closed_by is None and len(window) >= min_bars:
            return window
    frame = ohlcv_to_dataframe(data).sort_index(kind="stable")
    frame = frame[~frame.reset_index().duplicated().to_numpy()]
    if timeframe is None:
        timeframe = infer_timeframe(pd.DatetimeIndex(frame.index))
    times = _naive(pd.DatetimeIndex(frame.index))
    if closed_by is not None:
        if closed_by.tzinfo is None:
            raise ValueError(f"{closed_by.isoformat()} has no time zone; use UTC")
        now = _naive(pd.DatetimeIndex([closed_by]))[0]
        closed = close_times(times, timeframe) <= now
        frame, times = frame[closed], times[closed]
    require_valid_ohlcv(frame, timeframe, min_bars=min_bars)
    columns = (frame[name].to_numpy() for name in OHLCV_COLUMNS)
    return CandleWindow(symbol, timeframe, times, *columns)


def infer_timeframe(index: pd.DatetimeIndex) -> Timeframe:
    """The time frame whose bars lie as close together as the nearest two of `index`.

    Raises BadData where there are fewer than two bars or no time frame fits.
    """
    times = np.unique(_naive(index))
    if len(times) < 2:
        raise BadData(f"time frame cannot be told from {len(times)} bars; give it")
    nearest = np.diff(times).min()
    if (times == times.astype("datetime64[M]")).all() and nearest >= np.timedelta64(
        28, "D"
    ):
        return Timeframe.MN1
    for timeframe in Timeframe:
        if not timeframe.is_month and np.timedelta64(timeframe.duration) == nearest:
            return timeframe
    minutes = nearest / np.timedelta64(1, "m")
    raise BadData(
        f"nearest bars are {minutes:g} minutes apart, must be one of "
        f"{[timeframe.value for timeframe in Timeframe]}"
    )


def _naive(index: pd.DatetimeIndex) -> TimeArray:
    utc = index.tz_convert("UTC").tz_localize(None)
    times: TimeArray = utc.to_numpy().astype("datetime64[us]")
    return times
