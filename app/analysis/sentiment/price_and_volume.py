"""Leans read from bars alone: positive is bullish, None is too few bars."""

from __future__ import annotations

import math

import numpy as np

from app.analysis.indicators.money_flow import money_flow_volume
from app.analysis.window import CandleWindow


def momentum(window: CandleWindow, bars: int = 12) -> float | None:
    """tanh of the log return over the bars, in its own random-walk deviations."""
    if len(window) <= bars:
        return None
    returns = np.diff(np.log(window.close[-bars - 1 :]))
    walk = math.sqrt(float((returns * returns).sum()))
    return math.tanh(float(returns.sum()) / walk) if walk > 0 else 0.0


def range_position(window: CandleWindow, bars: int = 50) -> float | None:
    """Where the last close lies in the range of the bars: -1 at its low, 1 at its high.

    0 where there is no range.
    """
    if len(window) < bars:
        return None
    high, low = float(window.high[-bars:].max()), float(window.low[-bars:].min())
    if high <= low:
        return 0.0
    return _bounded(2 * (float(window.close[-1]) - low) / (high - low) - 1)


def volume_pressure(window: CandleWindow, bars: int = 20) -> float | None:
    """(Volume of rising bars - of falling bars) / all volume; 0 without volume."""
    if len(window) < bars:
        return None
    volume = window.volume[-bars:]
    traded = float(volume.sum())
    if traded <= 0:
        return 0.0
    direction = np.sign(window.close[-bars:] - window.open[-bars:])
    return _bounded(float((direction * volume).sum()) / traded)


def accumulation(window: CandleWindow, bars: int = 20) -> float | None:
    """Volume by where in its range each bar closed, over all volume.

    Chaikin's money flow: a close at the high counts the bar's volume as bought, one at
    the low as sold. A bar without a range counts as neither; 0 without volume.
    """
    if len(window) < bars:
        return None
    window = window.last(bars)
    traded = float(window.volume.sum())
    if traded <= 0:
        return 0.0
    return _bounded(float(money_flow_volume(window).sum()) / traded)


def _bounded(value: float) -> float:
    return max(-1.0, min(1.0, value))
