"""Nothing is said before `bars_needed` bars, and what is said then holds."""

from __future__ import annotations

import numpy as np
import pytest

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.service import (
    DEFAULT_INDICATORS,
    IndicatorService,
    compute_indicators,
)
from tests.analysis.windows import every_indicator, random_walk

# Beside the defaults: short and long ones, and a MACD whose signal is the slowest.
INDICATORS: list[Indicator] = [
    *every_indicator(),
    *(Ema(2), Ema(50), Ema(200), Sma(200), Rsi(2), Rsi(50), Atr(2), Atr(50)),
    *(Adx(2), Adx(30), Macd(5, 35, 5), Macd(3, 10, 30), BollingerBands(50, 3.0)),
]
named = pytest.mark.parametrize("indicator", INDICATORS, ids=repr)


def test_every_indicator_of_the_default_set_is_found() -> None:
    found = {type(indicator) for indicator in every_indicator()}

    assert found == {type(indicator) for indicator in DEFAULT_INDICATORS}


@named
def test_one_bar_short_is_none_and_enough_is_a_value(indicator: Indicator) -> None:
    window = random_walk(indicator.bars_needed, seed=1)

    short = compute_indicators(window.last(len(window) - 1), [indicator])
    enough = compute_indicators(window, [indicator])

    assert short == dict.fromkeys(indicator.outputs)
    assert tuple(enough) == indicator.outputs and None not in enough.values()


@named
def test_values_on_bars_needed_equal_those_on_all_history(indicator: Indicator) -> None:
    for seed in range(10):
        window = random_walk(4000, seed=seed)
        truncated = compute_indicators(window, [indicator])
        for name, full in zip(indicator.outputs, indicator.series(window), strict=True):
            # MACD crosses zero, so it is measured against its usual size.
            is_macd = isinstance(indicator, Macd)
            size = np.nanstd(full) if is_macd else abs(full[-1])
            value = truncated[name]
            assert value is not None
            assert abs(value - full[-1]) < 1e-6 * size, f"{name} of seed {seed}"


@named
def test_bars_before_the_needed_ones_never_change_a_value(
    indicator: Indicator,
) -> None:
    window = random_walk(indicator.bars_needed + 300, seed=6)

    long = compute_indicators(window, [indicator])
    exact = compute_indicators(window.last(indicator.bars_needed), [indicator])

    assert long == exact


def test_the_service_names_what_is_warming_up() -> None:
    service = IndicatorService([Sma(20), Rsi(14)])
    window = random_walk(100, seed=1)

    assert service.bars_needed == Rsi(14).bars_needed
    assert service.warming_up(window) == ("rsi_14",)
    latest = service.latest(window)
    assert latest["rsi_14"] is None
    assert latest["sma_20"] == pytest.approx(window.close[-20:].mean())


def test_two_indicators_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="ema_20"):
        IndicatorService([Ema(20), Ema(20)])
