"""SuperTrend hangs on its path, but never on bars before its declared window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import talib

from app.analysis.indicators.supertrend import SuperTrend
from app.analysis.indicators.volatility import Atr
from app.analysis.window import CandleWindow
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import first_bars, random_walk, window_of

TREND = SuperTrend(10, 3.0)


def without_value(window: CandleWindow, every: int) -> float:
    """Part of last bars that have none, by the declared window that ends there."""
    needed = TREND.bars_needed
    ends = range(needed, len(window) + 1, every)
    last = [TREND.series(window._slice(end - needed, end))[0][-1] for end in ends]
    return float(np.isnan(last).mean())


@pytest.mark.parametrize("seed", range(3))
def test_walks_nearly_always_have_a_value(seed: int) -> None:
    assert without_value(random_walk(12_000, seed), every=13) < 0.005


def test_recorded_bars_nearly_always_have_a_value(shared_data: Path) -> None:
    hourly = recorded_bars(shared_data, "BTCUSDT-1h")

    assert without_value(hourly, every=61) < 0.005


def from_state(
    window: CandleWindow, start: int, upper: float, lower: float, side: int
) -> list[tuple[float, int]]:
    """Band and direction at each bar from `start` on, from a state made up."""
    atr = talib.ATR(window.high, window.low, window.close, 10)
    path, middle = [], (window.high + window.low) / 2
    for bar in range(start, len(window)):
        before, close = window.close[bar - 1], window.close[bar]
        level = middle[bar] + 3 * atr[bar]
        upper = level if level < upper or before > upper else upper
        level = middle[bar] - 3 * atr[bar]
        lower = level if level > lower or before < lower else lower
        side = -1 if close <= (lower if side == 1 else upper) else 1
        path.append((lower if side == 1 else upper, side))
    return path


@pytest.mark.parametrize("seed", range(12))
def test_a_value_is_the_same_from_any_state_at_the_start(seed: int) -> None:
    # Few bars after the start, so that values are there for some seeds and bars only.
    noise = np.random.default_rng(seed)
    window = random_walk(TREND.bars_needed, seed, deviation=0.01)
    start = Atr(10).bars_needed - 1
    hidden = TREND._hidden_from(window, start)
    price = window.close[start]

    paths = [
        from_state(window, start, price * up, price * down, side)
        for up in (0.5, *noise.uniform(0.9, 1.15, 12), 9.0)
        for down in (0.1, *noise.uniform(0.85, 1.1, 12), 5.0)
        for side in (1, -1)
    ]

    known = [bar for bar in range(start, len(window)) if bar not in hidden]
    assert start in hidden and len(known) > 100
    for bar in known:
        assert len({path[bar - start] for path in paths}) == 1, f"bar {bar}"
    band, direction = TREND.series(window)
    assert paths[0][-1] == (pytest.approx(band[-1], rel=1e-12), direction[-1])


@pytest.mark.parametrize("before", ["rose", "fell", "crashed", "exploded"])
def test_whatever_was_before_the_declared_window_changes_nothing(before: str) -> None:
    recent = random_walk(TREND.bars_needed, seed=4)
    older = {
        "rose": np.linspace(1, 100, 300),
        "fell": np.linspace(300, 100, 300),
        "crashed": np.append([1e6] * 299, [100.0]),
        "exploded": np.append([1e-3] * 299, [100.0]),
    }[before]
    close = np.concatenate((older, recent.close))
    spread = np.append(np.full(300, 0.01), recent.high / recent.close - 1)
    whole = window_of(close, spread=np.maximum(spread, 0))
    cut = whole.last(TREND.bars_needed)

    for full, alone in zip(TREND.series(whole), TREND.series(cut), strict=True):
        assert full[-1] == pytest.approx(alone[-1], rel=1e-6)


def test_a_market_that_never_crossed_its_bands_has_no_value() -> None:
    # Swings of a tenth of the range of each bar: no band is ever reached.
    close = 100 + np.resize([0.0, 0.1], TREND.bars_needed + 50)
    window = window_of(close, spread=0.01)

    band, direction = TREND.series(window)

    early = TREND.bars_needed - 1
    assert not np.isnan(band[10:early]).any(), "as TA-Lib has it, for charts"
    assert np.isnan(band[early:]).all() and np.isnan(direction[early:]).all()


def test_once_the_trend_has_turned_there_is_a_value_for_good() -> None:
    close = 100 + np.resize([0.0, 0.1], TREND.bars_needed + 80)
    close[-60:-40] = np.linspace(100, 130, 20)
    close[-40:] = np.linspace(130, 90, 40)
    window = window_of(close, spread=0.01)

    band, direction = TREND.series(window)

    assert np.isnan(band[-70])
    assert not np.isnan(band[-20:]).any()
    assert direction[-41] == 1 and direction[-1] == -1
    for end in (len(window) - 45, len(window) - 5):
        cut = TREND.series(first_bars(window, end))[0]
        np.testing.assert_array_equal(cut, band[:end])
