"""Indicators against bare TA-Lib and numpy, and what they say of odd markets."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.indicators.volume import VolumeRatio
from app.analysis.service import DEFAULT_INDICATORS, compute_indicators
from app.analysis.window import CandleWindow
from tests.analysis.windows import every_indicator, random_walk, window_of

WALK = random_walk(600, seed=11)
CLOSE, BARS = WALK.close, (WALK.high, WALK.low, WALK.close)

BARE = [
    (Rsi(14), [talib.RSI(CLOSE, 14)]),
    (Macd(12, 26, 9), talib.MACD(CLOSE, 12, 26, 9)),
    (Ema(50), [talib.EMA(CLOSE, 50)]),
    (Sma(200), [talib.SMA(CLOSE, 200)]),
    (Atr(14), [talib.ATR(*BARS, 14)]),
    (
        Adx(14),
        [talib.ADX(*BARS, 14), talib.PLUS_DI(*BARS, 14), talib.MINUS_DI(*BARS, 14)],
    ),
]


@pytest.mark.parametrize(
    ("indicator", "expected"), BARE, ids=[type(case[0]).__name__ for case in BARE]
)
def test_series_equal_bare_talib(indicator: Indicator, expected: list) -> None:
    for values, bare in zip(indicator.series(WALK), expected, strict=True):
        np.testing.assert_allclose(values, bare, rtol=1e-9, atol=1e-9)


def test_bollinger_bands_are_population_deviations_of_the_closes() -> None:
    last = CLOSE[-20:]
    middle, away = last.mean(), 2.5 * last.std(ddof=0)

    values = compute_indicators(WALK, [BollingerBands(20, 2.5)])

    expected = [middle + away, middle, middle - away, 2 * away / middle]
    assert list(values.values()) == pytest.approx(expected, rel=1e-9)
    assert list(values) == [
        f"bb_{name}_20_2.5" for name in ("upper", "middle", "lower", "width")
    ]


def test_volume_ratio_leaves_the_bar_out_of_its_own_yardstick() -> None:
    window = window_of([100.0] * 6, volume=np.array([9.0, 1, 2, 3, 2, 6]))

    (ratio,) = VolumeRatio(4).series(window)

    # Bar 4: 2 over the mean of 9 1 2 3; bar 5: 6 over the mean of 1 2 3 2.
    assert np.isnan(ratio[:4]).all()
    assert ratio[4:] == pytest.approx([2 / 3.75, 6 / 2.0], rel=1e-12)


def test_volume_ratio_is_zero_where_nothing_traded_before() -> None:
    window = window_of([100.0] * 5, volume=np.array([0.0, 0, 0, 0, 50]))

    assert compute_indicators(window, [VolumeRatio(4)]) == {"volume_ratio_4": 0.0}


def test_a_price_that_never_moved_reads_as_neutral() -> None:
    values = compute_indicators(window_of([0.1] * 450), DEFAULT_INDICATORS)

    assert values["rsi_14"] == 50.0
    assert values["atr_14"] == values["adx_14"] == 0.0
    assert values["bb_width_20_2"] == 0.0
    assert values["macd_12_26_9"] == pytest.approx(0.0, abs=1e-15)


def test_rsi_is_neutral_only_until_the_first_move() -> None:
    flat, move = [100.0] * 20, [99.0, 98.0]

    (rsi,) = Rsi(14).series(window_of(flat + move))

    assert (rsi[14:20] == 50.0).all(), "no close has differed yet"
    assert (rsi[20:] == 0.0).all(), "it has only ever fallen"


_N = 450
ODD_MARKETS = {
    "constant price": window_of([0.1] * _N),
    "no volume": random_walk(_N, seed=2, start=1.0, deviation=0.01),
    "tiny prices": random_walk(_N, seed=3, start=1e-10),
    "huge prices": random_walk(_N, seed=4, start=1e12),
    "huge volume": window_of([100.0] * _N, volume=1e300),
    "only rising": window_of(np.linspace(1, 1000, _N)),
    "only falling": window_of(np.linspace(1000, 1, _N)),
    "up and down a millionfold": window_of(np.resize([1.0, 1e6], _N)),
    "stood still after a crash": window_of([1e6] * 100 + [0.1] * (_N - 100)),
}
ODD_MARKETS["no volume"] = window_of(ODD_MARKETS["no volume"].close, volume=0.0)


@pytest.mark.parametrize("name", ODD_MARKETS)
def test_odd_markets_give_finite_values_without_warnings(name: str) -> None:
    window = ODD_MARKETS[name]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = compute_indicators(window, [*every_indicator(), *DEFAULT_INDICATORS])

    assert all(value is not None for value in values.values())
    assert all(math.isfinite(value) for value in values.values() if value is not None)
    for bounded in ("rsi_14", "adx_14", "plus_di_14", "minus_di_14"):
        value = values[bounded]
        assert value is not None and 0 <= value <= 100 + 1e-9


def test_figures_that_overflow_are_none_not_infinite() -> None:
    values = compute_indicators(
        random_walk(30, seed=5, start=1e300), [BollingerBands(20, 2.0)]
    )

    assert values["bb_upper_20_2"] is values["bb_width_20_2"] is None
    assert values["bb_middle_20_2"] == pytest.approx(1e300, rel=0.1)


@pytest.mark.parametrize("power", [-33, -20, 20, 40])
def test_the_unit_of_the_price_does_not_matter(power: int) -> None:
    # A power of two scales floats exactly: 2**-33 takes 100 to 1e-8.
    scale = 2.0**power
    columns = (getattr(WALK, name) * scale for name in ("open", "high", "low", "close"))
    scaled = CandleWindow(
        WALK.symbol, WALK.timeframe, WALK.open_at, *columns, WALK.volume
    )

    before = compute_indicators(WALK, DEFAULT_INDICATORS)
    after = compute_indicators(scaled, DEFAULT_INDICATORS)

    in_price = ("macd", "ema", "sma", "atr", "bb_upper", "bb_middle", "bb_lower")
    for name, value in before.items():
        assert value is not None
        expected = value * scale if name.startswith(in_price) else value
        assert after[name] == pytest.approx(expected, rel=1e-9, abs=0)
