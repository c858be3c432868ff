"""Odd markets: a value, or none for a stated reason; never NaN, never a warning."""

from __future__ import annotations

import math
import warnings
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.indicator_value import ValueStatus
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.trend import Ema
from app.analysis.levels.support_resistance import support_resistance
from app.analysis.levels.volume_profile import volume_profile
from app.analysis.service import DEFAULT_INDICATORS, IndicatorService
from app.analysis.window import CandleWindow
from tests.analysis.windows import every_indicator, random_walk, window_of

EVERY = tuple(dict.fromkeys((*every_indicator(), *DEFAULT_INDICATORS)))
SERVICE = IndicatorService(EVERY)
_N = SERVICE.bars_needed_on(window_of([1.0]).timeframe) + 10

# Names of outputs and the bounds they promise.
BOUNDS = {
    ("rsi", "adx", "plus_di", "minus_di", "stoch", "mfi"): (0.0, 100.0),
    ("aroon_up", "aroon_down"): (0.0, 100.0),
    ("aroon_oscillator",): (-100.0, 100.0),
    ("williams_r",): (-100.0, 0.0),
    ("cmf", "supertrend_direction"): (-1.0, 1.0),
    ("realized", "atr", "bb_width", "volume_ratio"): (0.0, math.inf),
}


def judge(window: CandleWindow) -> dict[str, float | None]:
    """Values at the last bar, each held to its status, its reason and its bounds."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        readings = SERVICE.readings(window)
        for indicator in EVERY:
            assert all(len(x) == len(window) for x in indicator.series(window))
        support_resistance(window, bars=60)
        volume_profile(window, bars=60)
    for reading in readings:
        value, is_warm = reading.value, reading.bars_have == reading.bars_needed
        assert (value is not None) == (reading.status is ValueStatus.OK)
        assert (reading.reason is None) == (reading.status is ValueStatus.OK)
        assert is_warm == (reading.status is not ValueStatus.WARMING_UP)
        if value is not None:
            assert math.isfinite(value)
            for names, (least, most) in BOUNDS.items():
                if reading.output.startswith(names):
                    slack = 1e-9 * 100
                    assert least - slack <= value <= most + slack, reading
    return {reading.output: reading.value for reading in readings}


ODD_MARKETS = {
    "constant price": window_of([0.1] * _N),
    "tiny prices": random_walk(_N, seed=3, start=1e-10),
    "huge prices": random_walk(_N, seed=4, start=1e12),
    "huge volume": window_of([100.0] * _N, volume=1e300),
    "only rising": window_of(np.linspace(1, 1000, _N)),
    "only falling": window_of(np.linspace(1000, 1, _N)),
    "up and down a millionfold": window_of(np.resize([1.0, 1e6], _N)),
    "stood still after a crash": window_of([1e6] * 100 + [0.1] * (_N - 100)),
    "duplicate highs": window_of(np.resize([100.0, 101.0, 100.5, 101.0], _N)),
    "no volume": window_of(random_walk(_N, seed=2).close, volume=0.0),
    "volume dried up": window_of(
        random_walk(_N, seed=2).close,
        volume=np.append([1e12] * 100, [0.0] * (_N - 100)),
    ),
}
_CALM = random_walk(_N, seed=5)
# As some exchanges report: the close is none of the prices that high and low cover.
ODD_MARKETS["closes outside of their bars"] = replace(
    _CALM,
    high=_CALM.low + 1e-4,
    close=_CALM.low * np.resize([1.1, 1.0, 0.9], _N)[::-1],
)
# What may be missing there, and why.
WITHOUT = {
    "closes outside of their bars": {"supertrend_10_3", "supertrend_direction_10_3"},
    "up and down a millionfold": {"supertrend_10_3", "supertrend_direction_10_3"},
    "duplicate highs": {"supertrend_10_3", "supertrend_direction_10_3"},
    "no volume": {"vwap_utc_day", "volume_ratio_20"},
    "volume dried up": {"vwap_utc_day", "volume_ratio_20"},
}


@pytest.mark.parametrize("name", ODD_MARKETS)
def test_odd_markets_give_finite_values_without_warnings(name: str) -> None:
    values = judge(ODD_MARKETS[name])

    missing = {output for output, value in values.items() if value is None}
    assert missing == WITHOUT.get(name, set())


def test_a_market_without_volume_says_so_in_every_figure_of_volume() -> None:
    values = judge(ODD_MARKETS["volume dried up"])

    names = ("cmf_20", "obv_200", "ad_200", "volume_zscore_20")
    assert {values[name] for name in names} == {0.0}
    assert values["mfi_14"] == 50.0 and values["volume_ratio_20"] is None


def least_of(indicator: Indicator) -> Indicator:
    """The same indicator with every whole number at its least."""
    kind = type(indicator)
    numbers = [field.name for field in fields(kind) if str(field.type) == "int"]
    return kind(**{name: kind.least.get(name, kind.least_period) for name in numbers})


@pytest.mark.parametrize("indicator", every_indicator(), ids=repr)
def test_the_least_parameters_work_on_bars_that_stand_still(
    indicator: Indicator,
) -> None:
    least = least_of(indicator)

    needed = least.bars_needed_on(window_of([1.0]).timeframe)
    readings = IndicatorService([least]).readings(window_of([0.1] * needed))

    assert {reading.status for reading in readings} == {ValueStatus.OK}


@pytest.mark.parametrize("bars", [0, 1, 2])
def test_hardly_any_bars_are_warming_up_and_say_how_many_there_are(bars: int) -> None:
    window = random_walk(5, seed=1).last(bars) if bars else _empty()

    judge(window)

    reading = IndicatorService([Ema(20)]).readings(window)[0]
    assert reading.status is ValueStatus.WARMING_UP
    assert (reading.bars_have, reading.bars_needed) == (bars, Ema(20).bars_needed)
    assert reading.reason == f"{bars} of {Ema(20).bars_needed} bars"


def _empty() -> CandleWindow:
    window = random_walk(2, seed=1)
    return window._slice(0, 0)


def test_bars_missing_in_the_declared_window_are_told_with_the_value() -> None:
    whole = random_walk(400, seed=1)
    kept = np.delete(np.arange(400), [100, 390, 391])
    columns = ("open_at", "open", "high", "low", "close", "volume")
    window = CandleWindow(
        whole.symbol, whole.timeframe, *(getattr(whole, c)[kept] for c in columns)
    )

    readings = {r.output: r for r in IndicatorService().readings(window)}

    assert readings["sma_20"].missing_bars == 2
    assert readings["sma_200"].missing_bars == 2
    assert readings["ema_50"].missing_bars == 3
    assert readings["roc_10"].missing_bars == 2
    assert readings["roc_10"].value is not None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    start=st.sampled_from([1e-10, 1e-3, 1.0, 1e5, 1e12]),
    steps=st.lists(
        st.sampled_from([-0.3, -0.01, -1e-9, 0.0, 0.0, 0.0, 1e-9, 0.01, 0.4]),
        min_size=2,
        max_size=40,
    ),
    volumes=st.lists(
        st.sampled_from([0.0, 0.0, 1e-12, 1.0, 7.5, 1e15]), min_size=1, max_size=30
    ),
    spread=st.sampled_from([0.0, 1e-6, 0.02]),
)
def test_any_market_gives_values_or_reasons(
    start: float, steps: list[float], volumes: list[float], spread: float
) -> None:
    # A pattern of moves, over and over, around one level.
    moves = np.resize(np.array(steps) - np.mean(steps), _N)
    close = start * np.exp(np.cumsum(moves))
    window = window_of(close, spread=spread, volume=np.resize(volumes, _N))

    judge(window)


@pytest.mark.parametrize("indicator", EVERY, ids=repr)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(bars=st.integers(0, 40), seed=st.integers(0, 99))
def test_short_windows_give_arrays_of_their_length(
    indicator: Indicator, bars: int, seed: int
) -> None:
    window = random_walk(41, seed).last(bars) if bars else _empty()

    arrays = indicator.series(window)

    assert len(arrays) == len(indicator.outputs)
    assert all(array.shape == (bars,) for array in arrays)
