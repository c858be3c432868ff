"""Nothing is said before `bars_needed` bars, and what is said then holds."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.analysis.batch import window_from
from app.analysis.indicators.accumulation_distribution import (
    AccumulationDistribution,
)
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.keltner import KeltnerChannel
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.obv import Obv
from app.analysis.indicators.registry import indicator_classes
from app.analysis.indicators.stoch_rsi import StochRsi
from app.analysis.indicators.supertrend import SuperTrend
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.service import (
    DEFAULT_INDICATORS,
    IndicatorService,
    compute_indicators,
)
from app.analysis.snapshot.frame import FrameAnalysis
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.windows import every_indicator, random_walk, window_of

# Beside the defaults: short and long ones, and a MACD whose signal is the slowest.
INDICATORS: list[Indicator] = [
    *every_indicator(),
    *(Ema(2), Ema(50), Ema(200), Sma(200), Rsi(2), Rsi(50), Atr(2), Atr(50)),
    *(Adx(2), Adx(30), Macd(5, 35, 5), Macd(3, 10, 30), BollingerBands(50, 3.0)),
    *(Obv(2), AccumulationDistribution(2), StochRsi(50, 20, 5), StochRsi(3, 3, 1)),
    *(KeltnerChannel(3, 50, 1.0), KeltnerChannel(50, 3, 3.0)),
    *(SuperTrend(3, 1.0), SuperTrend(20, 5.0)),
]
named = pytest.mark.parametrize("indicator", INDICATORS, ids=repr)
# Outputs that go through zero, or rest on it, are measured against their usual size.
THROUGH_ZERO = (
    *("macd", "roc", "obv", "ad_", "cmf", "cci", "aroon", "stoch", "williams"),
    *("volume_zscore", "volume_spike", "mfi", "realized"),
)


RECORDED = (
    *("binance/BTCUSDT-1h", "binance/BTCUSDT-1m", "binance/ETHUSDT-1m"),
    *("coinbase/BTCUSD-4h", "coinbase/ETHUSD-4h", "coinbase/ETHUSD-1d"),
    "bitstamp/BTCUSD-1m",
)


@lru_cache(maxsize=None)
def recorded(data: Path, name: str) -> CandleWindow:
    """A file of recorded bars; bars of outages are missing."""
    frame = pd.read_csv(data / "candles" / f"{name}.csv.gz")
    return window_from(frame, Timeframe(name.split("-")[1]))


def truncation_error(indicator: Indicator, window: CandleWindow, every: int) -> float:
    """Largest relative error of a last value on the declared bars, at every n-th bar.

    A value that is there on one and not on the other counts as infinite, unless the
    indicator says that there may be none.
    """
    needed, largest = indicator.bars_needed_on(window.timeframe), 0.0
    whole = dict(zip(indicator.outputs, indicator.series(window), strict=True))
    usual = {name: np.nanstd(full) for name, full in whole.items()}
    for end in range(len(window), needed - 1, -every):
        cut = compute_indicators(window._slice(end - needed, end), [indicator])
        for name, value in cut.items():
            full = float(whole[name][end - 1])
            if value is None or np.isnan(full):
                assert indicator.undefined_when, f"{name} has no value at bar {end}"
                continue
            is_through_zero = name.startswith(THROUGH_ZERO)
            size = max(usual[name], abs(full)) if is_through_zero else abs(full)
            if value != full:
                largest = max(largest, abs(value - full) / size)
    return largest


@named
def test_one_bar_short_is_none_and_enough_is_a_value(indicator: Indicator) -> None:
    needed = indicator.bars_needed_on(Timeframe.M5)
    window = random_walk(needed, seed=1)

    short = compute_indicators(window.last(needed - 1), [indicator])
    enough = compute_indicators(window, [indicator])

    assert short == dict.fromkeys(indicator.outputs)
    assert tuple(enough) == indicator.outputs and None not in enough.values()


@named
@pytest.mark.parametrize("seed", range(4))
def test_values_on_bars_needed_equal_those_on_all_history(
    indicator: Indicator, seed: int
) -> None:
    window = random_walk(5000, seed)

    assert truncation_error(indicator, window, every=211) < 1e-6


@pytest.mark.parametrize("name", RECORDED)
@named
def test_they_do_on_recorded_bars(
    shared_data: Path, indicator: Indicator, name: str
) -> None:
    window = recorded(shared_data, name)

    assert truncation_error(indicator, window, every=len(window) // 40) < 1e-6


@named
def test_bars_before_the_needed_ones_never_change_a_value(
    indicator: Indicator,
) -> None:
    window = random_walk(indicator.bars_needed + 300, seed=6)

    long = compute_indicators(window, [indicator])
    exact = compute_indicators(
        window.last(indicator.bars_needed_on(window.timeframe)), [indicator]
    )

    assert long == exact


def sparse(bars: int, seed: int) -> CandleWindow:
    """One-minute bars of which one in thirty moves the price."""
    noise = np.random.default_rng(seed)
    moves = noise.normal(0.0, 0.002, bars) * (noise.random(bars) < 0.03)
    volume = np.where(moves == 0.0, 0.0, 5.0)
    close = 100.0 * np.exp(np.cumsum(moves))
    return window_of(close, volume=volume, timeframe=Timeframe.M1)


def test_live_and_replay_agree_exactly_where_hardly_anything_trades() -> None:
    window, analysis = sparse(4000, seed=2), FrameAnalysis()
    needed = analysis.bars_needed_on(window.timeframe)
    fitting = [i for i in INDICATORS if i.bars_needed_on(Timeframe.M1) <= needed]
    for end in range(needed, len(window), 397):
        live, replay = window._slice(end - needed, end), window._slice(0, end)
        assert analysis.read(live) == analysis.read(replay)
        for indicator in fitting:
            now = compute_indicators(live, [indicator])
            assert now == compute_indicators(replay, [indicator])


def test_all_history_is_not_forgotten_where_hardly_anything_moves() -> None:
    # What docs/analysis.md says of `series`: no number of bars would be enough.
    window = window_of([100.0] * 10 + [101.0] * 2000, timeframe=Timeframe.M1)

    (whole,) = Rsi(14).series(window)

    assert whole[-1] == pytest.approx(100.0)
    assert compute_indicators(window, [Rsi(14)]) == {"rsi_14": 50.0}


def test_sums_without_an_end_say_where_they_start() -> None:
    anchors = {
        name: kind().anchor
        for name, kind in indicator_classes().items()
        if kind().anchor is not None
    }

    assert anchors == {
        "accumulation_distribution": "first of the last 200 bars",
        "obv": "first of the last 200 bars",
        "vwap": "utc_day at 00:00 UTC",
    }


def test_the_service_names_what_is_warming_up() -> None:
    service = IndicatorService([Sma(20), Rsi(14)])
    window = random_walk(100, seed=1)

    assert service.bars_needed == Rsi(14).bars_needed
    assert service.warming_up(window) == ("rsi_14",)
    latest = service.latest(window)
    assert latest["rsi_14"] is None
    assert latest["sma_20"] == pytest.approx(window.close[-20:].mean())


def test_requirements_are_plain_data_for_every_output() -> None:
    service = IndicatorService()

    stored = json.loads(json.dumps(service.requirements(Timeframe.H1)))

    assert list(stored) == [n for item in DEFAULT_INDICATORS for n in item.outputs]
    assert stored["ema_50"] == {
        "indicator": "ema",
        "parameters": {"period": 50},
        "bars_needed": Ema(50).bars_needed,
        "anchor": None,
    }
    assert stored["vwap_utc_day"]["bars_needed"] == 24
    assert service.requirements()["vwap_utc_day"]["bars_needed"] == 1440


def test_two_indicators_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="ema_20"):
        IndicatorService([Ema(20), Ema(20)])
