"""Support and resistance: prices at which swings turned more than once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import numpy as np
import talib

from app.analysis._crossing import IntArray
from app.analysis._views import both_views, times_of
from app.analysis.structure.swings import SWING_LENGTH, swing_bars
from app.analysis.window import CandleWindow, FloatArray

_ATR_PERIOD = 14


class LevelKind(str, Enum):
    """Which side of the last close a level lies on."""

    SUPPORT = "support"
    RESISTANCE = "resistance"


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """A zone from `low` to `high` in which swings turned, as the last bar closes.

    `price` is the mean of the swings, `touches` their number, `distance` the way from
    the last close to the price as a fraction of the close (negative below it).
    `strength`, in (0, 1), is s / (1 + s), where s counts each touch, halved for every
    half window of age: one touch just now is 0.5, three are 0.75.
    """

    kind: LevelKind
    price: float
    low: float
    high: float
    touches: int
    strength: float
    distance: float
    first_touched_at: datetime
    last_touched_at: datetime


def support_resistance(
    window: CandleWindow,
    *,
    bars: int = 300,
    swing_length: int = SWING_LENGTH,
    tolerance_atr: float = 0.5,
    min_touches: int = 2,
) -> tuple[PriceLevel, ...] | None:
    """Levels of the last `bars` bars, ascending; None while there are fewer bars.

    Swing highs and lows confirmed by the last close are grouped from the lowest up: a
    swing joins a group if it is within `tolerance_atr` average true ranges (14 bars) of
    the group's lowest. Groups of under `min_touches` swings are no levels. Raises
    ValueError for fewer than 15 bars.
    """
    if bars <= _ATR_PERIOD:
        raise ValueError(f"bars is {bars}, must be over {_ATR_PERIOD}")
    if len(window) < bars:
        return None
    window = window.last(bars)
    if window.high.max() == window.low.min():
        return ()  # it never turned, though a plateau counts as one swing
    found = [(view.sign, swing_bars(view, swing_length)) for view in both_views(window)]
    prices = np.concatenate([swings.levels * sign for sign, swings in found])
    places = np.concatenate([swings.bars for _, swings in found])
    order = np.lexsort((places, prices))
    prices, places = prices[order], places[order]
    true_range = talib.ATR(window.high, window.low, window.close, _ATR_PERIOD)[-1]
    levels = []
    for start, stop in _groups(prices, tolerance_atr * float(true_range)):
        if stop - start >= min_touches:
            levels.append(_level(window, prices[start:stop], places[start:stop]))
    return tuple(levels)


def _groups(prices: FloatArray, width: float) -> list[tuple[int, int]]:
    """Bounds of the groups of ascending prices."""
    groups, start = [], 0
    while start < len(prices):
        stop = int(np.searchsorted(prices, prices[start] + width, "right"))
        groups.append((start, max(stop, start + 1)))
        start = groups[-1][1]
    return groups


def _level(window: CandleWindow, prices: FloatArray, places: IntArray) -> PriceLevel:
    price, close = float(prices.mean()), float(window.close[-1])
    age = (len(window) - 1 - places) / (len(window) / 2)
    weight = float(np.sum(0.5**age))
    first, last = times_of(window, np.array([places.min(), places.max()]))
    return PriceLevel(
        kind=LevelKind.SUPPORT if price <= close else LevelKind.RESISTANCE,
        price=price,
        low=float(prices[0]),
        high=float(prices[-1]),
        touches=len(prices),
        strength=weight / (1 + weight),
        distance=price / close - 1,
        first_touched_at=first,
        last_touched_at=last,
    )
