"""Made-up windows of bars, and every indicator there is, found by looking."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np

import app.analysis.indicators as indicators_room
from app.analysis.indicators.base import Indicator
from app.analysis.window import CandleWindow, FloatArray
from app.domain.timeframe import Timeframe

COLUMNS = ("open_at", "open", "high", "low", "close", "volume")
FIRST_OPEN = np.datetime64("2025-01-06T00:00:00", "us")


def every_indicator() -> list[Indicator]:
    """One of each indicator class in the room, with its default settings."""
    found: list[Indicator] = []
    for module_info in pkgutil.iter_modules(indicators_room.__path__):
        module = importlib.import_module(f"{indicators_room.__name__}.{module_info[1]}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            is_own = kind.__module__ == module.__name__
            if is_own and kind is not Indicator and hasattr(kind, "series"):
                found.append(kind())
    return found


def window_of(
    close: FloatArray | list[float],
    *,
    spread: FloatArray | float = 0.0,
    volume: FloatArray | float = 100.0,
    open_: FloatArray | None = None,
    symbol: str = "AAA/USDT",
    timeframe: Timeframe = Timeframe.M5,
) -> CandleWindow:
    """Bars with these closes; high and low lie `spread` of the body away from it."""
    close = np.asarray(close, dtype=np.float64)
    opens = np.concatenate((close[:1], close[:-1])) if open_ is None else open_
    step = np.timedelta64(int(timeframe.duration.total_seconds()), "s")
    return CandleWindow(
        symbol,
        timeframe,
        FIRST_OPEN + np.arange(len(close)) * step,
        np.asarray(opens, dtype=np.float64),
        np.maximum(opens, close) * (1 + np.asarray(spread)),
        np.minimum(opens, close) * (1 - np.asarray(spread)),
        close,
        np.broadcast_to(np.asarray(volume, dtype=np.float64), close.shape),
    )


def random_walk(
    bars: int,
    seed: int,
    *,
    start: float = 100.0,
    deviation: float = 0.004,
    timeframe: Timeframe = Timeframe.M5,
) -> CandleWindow:
    """A geometric random walk with a log-normal volume; deviation is one bar's."""
    noise = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(noise.normal(0.0, deviation, bars)))
    spread = noise.uniform(0.0, deviation, bars)
    volume = noise.lognormal(4.0, 1.0, bars)
    return window_of(close, spread=spread, volume=volume, timeframe=timeframe)


def first_bars(window: CandleWindow, bars: int) -> CandleWindow:
    """The oldest `bars` bars, in memory of their own: no later bar is even near."""
    columns = (getattr(window, name)[:bars].copy() for name in COLUMNS)
    return CandleWindow(window.symbol, window.timeframe, *columns)


def contents(window: CandleWindow) -> dict[str, bytes]:
    """Every byte of a window, to compare with later."""
    return {name: getattr(window, name).tobytes() for name in COLUMNS}
