"""Bars drawn by hand, to read structure from."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np

from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe

START = datetime(2025, 1, 6, tzinfo=timezone.utc)


def bar(number: int) -> datetime:
    """Open time of the bar at this place."""
    return START + timedelta(minutes=5 * number)


def drawn(
    *bars: tuple[float, float, float, float], missing: tuple[int, ...] = ()
) -> CandleWindow:
    """Five-minute bars (open, high, low, close); those at `missing` are left out."""
    kept = [place for place in range(len(bars)) if place not in missing]
    first = np.datetime64(START.replace(tzinfo=None), "us")
    times = first + np.array(kept) * np.timedelta64(5, "m")
    columns = np.array([bars[place] for place in kept], dtype=np.float64).T
    volume = np.arange(1.0, len(kept) + 1)
    return CandleWindow("AAA/USDT", Timeframe.M5, times, *columns, volume)


def zigzag(*turns: float, step: float = 1.0, wick: float = 0.25) -> CandleWindow:
    """A market that walks from turn to turn in whole steps, with short wicks.

    Every bar opens where the one before it closed; the first opens at the first turn.
    """
    closes = [turns[0]]
    for turn in turns[1:]:
        way = step if turn > closes[-1] else -step
        closes += list(np.arange(closes[-1], turn, way)[1:]) + [turn]
    bars = [
        (open_, max(open_, close) + wick, min(open_, close) - wick, close)
        for open_, close in zip(closes[:-1], closes[1:], strict=True)
    ]
    return drawn(*bars)


def upside_down(window: CandleWindow, about: float = 1000.0) -> CandleWindow:
    """The market mirrored: rises fall. Exact for prices that are binary fractions."""
    return CandleWindow(
        window.symbol,
        window.timeframe,
        window.open_at,
        about - window.open,
        about - window.low,
        about - window.high,
        about - window.close,
        window.volume,
    )
