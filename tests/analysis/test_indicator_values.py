"""Indicators against bare TA-Lib and numpy, and what they say of odd markets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import talib

from app.analysis.indicator_value import ValueStatus
from app.analysis.indicators.accumulation_distribution import (
    AccumulationDistribution,
)
from app.analysis.indicators.aroon import Aroon
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.cci import Cci
from app.analysis.indicators.mfi import Mfi
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.obv import Obv
from app.analysis.indicators.realized_volatility import RealizedVolatility
from app.analysis.indicators.roc import Roc
from app.analysis.indicators.stoch_rsi import StochRsi
from app.analysis.indicators.supertrend import SuperTrend
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.indicators.volume import VolumeRatio
from app.analysis.indicators.volume_zscore import VolumeZScore
from app.analysis.indicators.williams_r import WilliamsR
from app.analysis.service import (
    DEFAULT_INDICATORS,
    IndicatorService,
    compute_indicators,
)
from app.analysis.window import CandleWindow
from tests.analysis.windows import every_indicator, first_bars, random_walk, window_of

WALK = random_walk(600, seed=11)
CLOSE, VOLUME = WALK.close, WALK.volume
BARS = (WALK.high, WALK.low, CLOSE)


def sided(band: np.ndarray, side: np.ndarray) -> list[np.ndarray]:
    """TA-Lib answers side 0 where there is no band yet."""
    return [band, np.where(np.isnan(band), np.nan, side)]


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
    (Roc(10), [talib.ROC(CLOSE, 10)]),
    (StochRsi(14, 14, 3), talib.STOCHRSI(CLOSE, 14, 14, 3)),
    (Mfi(14), [talib.MFI(*BARS, VOLUME, 14)]),
    (Cci(20), [talib.CCI(*BARS, 20)]),
    (SuperTrend(10, 3.0), sided(*talib.SUPERTREND(*BARS, 10, 3.0))),
    # Anchored at the first of 600 bars, which is where TA-Lib starts.
    (Obv(600), [talib.OBV(CLOSE, VOLUME)]),
]


@pytest.mark.parametrize(
    ("indicator", "expected"), BARE, ids=[type(case[0]).__name__ for case in BARE]
)
def test_series_equal_bare_talib(indicator: Indicator, expected: list) -> None:
    for values, bare in zip(indicator.series(WALK), expected, strict=True):
        there = ~np.isnan(bare)
        # What rounding leaves of sums that cross zero has the size of their parts.
        noise = 1e-12 * np.nanmax(np.abs(bare))
        assert not np.isnan(values[indicator.bars_needed - 1 :]).any()
        np.testing.assert_allclose(
            values[there], np.asarray(bare)[there], rtol=1e-9, atol=noise
        )


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


def test_volume_ratio_is_undefined_where_nothing_traded_before() -> None:
    window = window_of([100.0] * 6, volume=np.array([0.0, 0, 0, 0, 50, 50]))

    (ratio,) = VolumeRatio(4).series(window)
    (reading,) = IndicatorService([VolumeRatio(4)]).readings(window.last(5))
    (before,) = IndicatorService([VolumeRatio(4)]).readings(first_bars(window, 5))

    assert np.isnan(ratio[:5]).all() and ratio[5] == reading.value == 4.0
    assert before.status is ValueStatus.UNDEFINED
    assert before.reason == "nothing was traded in the 4 bars before"


def test_volume_scores_leave_the_bar_out_of_their_yardstick() -> None:
    before = np.array([3.0, 1, 4, 1, 5])
    window = window_of([100.0] * 7, volume=np.append(before, [20.0, 4.0]))

    score, spike = VolumeZScore(5, spike=3.0).series(window)

    assert np.isnan(score[:5]).all() and np.isnan(spike[:5]).all()
    assert score[5] == pytest.approx((20 - before.mean()) / before.std(), rel=1e-12)
    after = np.append(before[1:], 20.0)
    assert score[6] == pytest.approx((4 - after.mean()) / after.std(), rel=1e-12)
    assert spike[5:].tolist() == [1.0, 0.0]


def test_volumes_that_never_vary_score_0_and_give_another_one_none() -> None:
    window = window_of([100.0] * 42, volume=np.append([0.1] * 41, 0.2))

    score, spike = VolumeZScore(20).series(window)

    assert (score[20:41] == 0).all() and (spike[20:41] == 0).all()
    assert np.isnan(score[41]) and np.isnan(spike[41])


def test_realised_volatility_is_the_root_mean_square_return_of_a_year() -> None:
    returns = np.diff(np.log(CLOSE))[-20:]
    bars_a_year = 365 * 24 * 12  # of five minutes

    values = compute_indicators(WALK, [RealizedVolatility(20)])

    expected = math.sqrt(np.mean(returns**2) * bars_a_year)
    assert values["realized_volatility_20"] == pytest.approx(expected, rel=1e-12)


def test_a_price_that_never_moved_reads_as_neutral() -> None:
    values = compute_indicators(window_of([0.1] * 450), DEFAULT_INDICATORS)
    others = compute_indicators(
        window_of([0.1] * 450),
        [StochRsi(), Cci(), WilliamsR(), Aroon(), AccumulationDistribution()],
    )

    assert values["stoch_k_14_3_3"] == values["stoch_d_14_3_3"] == 50.0
    assert values["mfi_14"] == 50.0
    assert values["roc_10"] == values["cmf_20"] == 0.0
    assert values["realized_volatility_20"] == 0.0
    assert values["vwap_utc_day"] == pytest.approx(0.1, rel=1e-12)
    assert others["stoch_rsi_k_14_14_3"] == 50.0
    assert others["cci_20"] == others["aroon_oscillator_14"] == others["ad_200"] == 0
    assert others["williams_r_14"] == -50.0

    assert values["rsi_14"] == 50.0
    assert values["atr_14"] == values["adx_14"] == 0.0
    assert values["bb_width_20_2"] == 0.0
    assert values["macd_12_26_9"] == pytest.approx(0.0, abs=1e-15)


def test_rsi_is_neutral_only_until_the_first_move() -> None:
    flat, move = [100.0] * 20, [99.0, 98.0]

    (rsi,) = Rsi(14).series(window_of(flat + move))

    assert (rsi[14:20] == 50.0).all(), "no close has differed yet"
    assert (rsi[20:] == 0.0).all(), "it has only ever fallen"


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

    every = [i for i in every_indicator() if i.bars_needed_on(WALK.timeframe) <= 600]
    before = compute_indicators(WALK, every)
    after = compute_indicators(scaled, every)

    in_price = ("macd", "ema", "sma", "atr", "bb_upper", "bb_middle", "bb_lower")
    in_price += ("supertrend_10", "keltner", "donchian", "vwap")
    for name, value in before.items():
        assert value is not None
        expected = value * scale if name.startswith(in_price) else value
        assert after[name] == pytest.approx(expected, rel=1e-9, abs=0)
