"""Indicators against their definitions, written out in plain numpy.

TA-Lib computes most of them: to compare with it again would repeat its mistakes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from app.analysis.indicators.accumulation_distribution import (
    AccumulationDistribution,
)
from app.analysis.indicators.aroon import Aroon
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.cmf import Cmf
from app.analysis.indicators.donchian import DonchianChannel
from app.analysis.indicators.keltner import KeltnerChannel
from app.analysis.indicators.stochastic import Stochastic
from app.analysis.indicators.williams_r import WilliamsR
from app.analysis.window import CandleWindow
from tests.analysis.windows import first_bars, random_walk

WALK = random_walk(600, seed=11)


def smoothed(values: np.ndarray, alpha: float) -> float:
    """Exponential average from the first value on; its seed is long forgotten."""
    average = values[0]
    for value in values[1:]:
        average += alpha * (value - average)
    return float(average)


def donchian(window: CandleWindow) -> list[float]:
    top, bottom = max(window.high[-20:]), min(window.low[-20:])
    return [top, (top + bottom) / 2, bottom]


def keltner(window: CandleWindow) -> list[float]:
    high, low, before = window.high[1:], window.low[1:], window.close[:-1]
    true_range = np.max([high - low, abs(high - before), abs(low - before)], axis=0)
    middle = smoothed((window.high + window.low + window.close) / 3, 2 / (20 + 1))
    away = 2.0 * smoothed(true_range, 1 / 10)
    return [middle + away, middle, middle - away]


def aroon(window: CandleWindow) -> list[float]:
    newest_first = slice(None, -14 - 2, -1)
    up = 100 * (14 - int(np.argmax(window.high[newest_first]))) / 14
    down = 100 * (14 - int(np.argmin(window.low[newest_first]))) / 14
    return [up, down, up - down]


def place_in_range(window: CandleWindow) -> float:
    top, bottom = max(window.high[-14:]), min(window.low[-14:])
    return float((window.close[-1] - bottom) / (top - bottom))


def williams(window: CandleWindow) -> list[float]:
    return [100 * (place_in_range(window) - 1)]


def stochastic(window: CandleWindow) -> list[float]:
    raw = [
        100 * place_in_range(window._slice(0, len(window) - back)) for back in range(5)
    ]
    slow = [sum(raw[back : back + 3]) / 3 for back in range(3)]
    return [slow[0], sum(slow) / 3]


def money_flow(window: CandleWindow) -> np.ndarray:
    middle = (window.high + window.low) / 2
    return (window.close - middle) / (window.high - middle) * window.volume


def cmf(window: CandleWindow) -> list[float]:
    return [sum(money_flow(window)[-20:]) / sum(window.volume[-20:])]


def accumulation(window: CandleWindow) -> list[float]:
    return [sum(money_flow(window)[-200:])]


DEFINITIONS: list[tuple[Indicator, Callable[[CandleWindow], list[float]]]] = [
    (DonchianChannel(20), donchian),
    (KeltnerChannel(20, 10, 2.0), keltner),
    (Aroon(14), aroon),
    (WilliamsR(14), williams),
    (Stochastic(14, 3, 3), stochastic),
    (Cmf(20), cmf),
    (AccumulationDistribution(200), accumulation),
]


@pytest.mark.parametrize(
    ("indicator", "define"), DEFINITIONS, ids=lambda value: getattr(value, "name", "")
)
def test_values_are_those_of_the_definition(
    indicator: Indicator, define: Callable[[CandleWindow], list[float]]
) -> None:
    arrays = indicator.series(WALK)

    for end in range(480, len(WALK) + 1, 7):
        expected = define(first_bars(WALK, end))
        found = [float(array[end - 1]) for array in arrays]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), end
