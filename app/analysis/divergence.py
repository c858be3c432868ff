"""Divergences: price and an indicator that disagree from one swing to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.analysis.finding import Finding
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Rsi
from app.analysis._views import View, both_views, times_of
from app.analysis.structure.swings import SWING_LENGTH, swing_bars
from app.analysis.window import CandleWindow, FloatArray
from app.domain.direction import Direction

DIVERGENCE_RSI = Rsi(14)


class DivergenceKind(str, Enum):
    """What disagrees, and which way it points.

    Regular ones speak of a turn, hidden ones of a trend that goes on.
    """

    REGULAR_BULLISH = "regular_bullish"  # lower low of price, higher of the indicator
    HIDDEN_BULLISH = "hidden_bullish"  # higher low of price, lower of the indicator
    REGULAR_BEARISH = "regular_bearish"  # higher high of price, lower of the indicator
    HIDDEN_BEARISH = "hidden_bearish"  # lower high of price, higher of the indicator


@dataclass(frozen=True, kw_only=True)
class Divergence(Finding):
    """Two neighbouring swings of one kind; it happens at the second one.

    Confirmed when that swing is. Values are those at the two swing bars; `indicator`
    names the output compared.
    """

    kind: DivergenceKind
    indicator: str
    first_swing_at: datetime
    first_price: float
    price: float
    first_value: float
    value: float


def detect_divergence(
    window: CandleWindow,
    indicator: Indicator = DIVERGENCE_RSI,
    *,
    swing_length: int = SWING_LENGTH,
    max_bars: int = 60,
) -> tuple[Divergence, ...]:
    """All divergences of the window with the indicator's first output, by time.

    Compared are neighbouring swing highs, and lows, at most `max_bars` bars apart, once
    the indicator is warm at the first of them. Equal prices or values disagree with
    nothing.
    """
    values = indicator.series(window)[0]
    warm_from = indicator.bars_needed_on(window.timeframe) - 1
    found = [
        divergence
        for view in both_views(window)
        for divergence in _of_view(
            window,
            view,
            values,
            indicator.outputs[0],
            swing_length,
            warm_from,
            max_bars,
        )
    ]
    return tuple(sorted(found, key=lambda item: (item.happened_at, item.kind)))


def _of_view(
    window: CandleWindow,
    view: View,
    values: FloatArray,
    name: str,
    swing_length: int,
    warm_from: int,
    max_bars: int,
) -> Iterator[Divergence]:
    """Those between swing highs of the view; upside down they are lows."""
    swings = swing_bars(view, swing_length)
    bars, at = swings.bars.tolist(), times_of(window, swings.bars)
    confirmed_at = times_of(window, swings.confirmed)
    for first in range(len(bars) - 1):
        second = first + 1
        if bars[first] < warm_from or bars[second] - bars[first] > max_bars:
            continue
        price = float(swings.levels[second] - swings.levels[first])
        value = float(values[bars[second]] - values[bars[first]]) * view.sign
        if not price * value < 0:
            continue
        yield Divergence(
            happened_at=at[second],
            confirmed_at=confirmed_at[second],
            kind=_kind(view.direction, is_regular=price > 0),
            indicator=name,
            first_swing_at=at[first],
            first_price=float(swings.levels[first]) * view.sign,
            price=float(swings.levels[second]) * view.sign,
            first_value=float(values[bars[first]]),
            value=float(values[bars[second]]),
        )


def _kind(swings_seen: Direction, *, is_regular: bool) -> DivergenceKind:
    if swings_seen is Direction.BULLISH:  # highs: what they say is bearish
        if is_regular:
            return DivergenceKind.REGULAR_BEARISH
        return DivergenceKind.HIDDEN_BEARISH
    if is_regular:
        return DivergenceKind.REGULAR_BULLISH
    return DivergenceKind.HIDDEN_BULLISH
