"""A window seen from either side, so that one rule serves highs and lows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import talib

from app.analysis._crossing import IntArray
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction

ATR_PERIOD = 14


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Prices as they are (bullish) or upside down (bearish), each of shape (bars,).

    Upside down, prices are negated and high and low change places: a swing low is then
    a swing high. `sign` turns a price of the view into one of the market and back,
    exactly.
    """

    direction: Direction
    sign: int
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray

    @classmethod
    def of(cls, window: CandleWindow, direction: Direction) -> View:
        """The window, turned so that `direction` is upwards."""
        if direction is Direction.BULLISH:
            return cls(direction, 1, window.open, window.high, window.low, window.close)
        return cls(
            direction, -1, -window.open, -window.low, -window.high, -window.close
        )


def both_views(window: CandleWindow) -> tuple[View, View]:
    """The window as it is and upside down."""
    return View.of(window, Direction.BULLISH), View.of(window, Direction.BEARISH)


def average_true_range(window: CandleWindow) -> FloatArray:
    """Wilder's ATR over 14 bars, shape (bars,); NaN on the first 14."""
    if len(window) <= ATR_PERIOD:
        return np.full(len(window), np.nan)
    atr: FloatArray = talib.ATR(window.high, window.low, window.close, ATR_PERIOD)
    return atr


def times_of(window: CandleWindow, bars: IntArray) -> list[datetime]:
    """Open times of the bars, aware UTC."""
    naive: list[datetime] = window.open_at[bars].tolist()
    return [moment.replace(tzinfo=timezone.utc) for moment in naive]


def time_of(window: CandleWindow, bar: int) -> datetime:
    """Open time of one bar, aware UTC."""
    moment: datetime = window.open_at[bar].item()
    return moment.replace(tzinfo=timezone.utc)


def find_times_of(window: CandleWindow, bars: IntArray) -> list[datetime | None]:
    """Open times of the bars; None for a bar past the window's last."""
    inside = bars < len(window)
    known = iter(times_of(window, bars[inside]))
    return [next(known) if is_inside else None for is_inside in inside.tolist()]


def consecutive(window: CandleWindow) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether no bar is missing between each bar and the one before; False at first."""
    result = np.zeros(len(window), dtype=bool)
    if len(window) < 2:
        return result
    if window.timeframe.is_month:
        months = window.open_at.astype("datetime64[M]").astype(np.int64)
        result[1:] = np.diff(months) == 1
        return result
    step = np.timedelta64(int(window.timeframe.duration.total_seconds()), "s")
    result[1:] = np.diff(window.open_at) == step
    return result
