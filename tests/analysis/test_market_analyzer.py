"""Regimes of markets made to be obvious, and correlation against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from app.analysis.correlation import return_correlation
from app.analysis.market_analyzer import MarketAnalyzer, RegimeReading
from app.analysis.window import CandleWindow
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe
from tests.analysis.windows import COLUMNS, random_walk, window_of

ANALYZER = MarketAnalyzer()
BARS = ANALYZER.bars_needed


def wave(bars: int, height: float, length: float) -> np.ndarray:
    """Factors around 1 that swing by `height`, once in `length` bars."""
    return 1 + height * np.sin(np.arange(bars) * 2 * np.pi / length)


def trend(bar_return: float) -> CandleWindow:
    """A steady drift with a swing much smaller than it."""
    close = 100 * np.exp(bar_return * np.arange(BARS)) * wave(BARS, 0.0005, 7)
    return window_of(close, spread=0.001)


def swings(last_height: float) -> CandleWindow:
    """Swings around 100 with no drift; those of the last ten bars differ in height."""
    height = np.where(np.arange(BARS) < BARS - 10, 0.002, last_height)
    close = 100 * (1 + height * np.resize([1.0, -1.0], BARS))
    opens = np.concatenate((close[1:2], close[:-1]))  # the first bar swings too
    return window_of(close, spread=0.0005, open_=opens)


def test_a_steady_climb_trends_up() -> None:
    reading = ANALYZER.regime(trend(+0.002))

    assert reading.regime is Regime.TRENDING_UP
    assert reading.adx is not None and reading.adx > 50
    assert reading.ema_slope is not None and reading.ema_slope > 0


def test_a_steady_fall_trends_down() -> None:
    reading = ANALYZER.regime(trend(-0.002))

    assert reading.regime is Regime.TRENDING_DOWN
    assert reading.ema_slope is not None and reading.ema_slope < 0


def test_swings_that_calm_down_range() -> None:
    reading = ANALYZER.regime(swings(last_height=0.001))

    assert reading.regime is Regime.RANGING
    assert reading.adx is not None and reading.adx < 25
    assert reading.atr_percentile is not None and reading.atr_percentile <= 0.1


def test_swings_that_grow_tenfold_are_volatile() -> None:
    reading = ANALYZER.regime(swings(last_height=0.02))

    assert reading.regime is Regime.VOLATILE
    assert reading.atr_percentile == 1.0


def test_a_price_that_stands_still_ranges() -> None:
    reading = ANALYZER.regime(window_of([100.0] * BARS))

    assert reading == RegimeReading(
        Regime.RANGING, 0.0, 0.0, 1.0, instant=Regime.RANGING
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_figures_are_talibs_in_the_units_promised(seed: int) -> None:
    # Volatile enough for ATR and ATR over close to rank the bars differently.
    window = random_walk(BARS, seed, deviation=0.02)
    bars = (window.high, window.low, window.close)
    ema, atr = talib.EMA(window.close, 20), talib.ATR(*bars, 14)
    relative = [at / close for at, close in zip(atr, window.close, strict=True)][-100:]

    reading = ANALYZER.regime(window)

    slope = (ema[-1] - ema[-11]) / 10 / atr[-1]
    rank = sum(value <= relative[-1] for value in relative)
    assert reading.adx == pytest.approx(talib.ADX(*bars, 14)[-1], rel=1e-6)
    assert reading.ema_slope == pytest.approx(slope, rel=1e-6)
    assert reading.atr_percentile == pytest.approx(rank / 100)


def test_one_bar_short_is_no_regime() -> None:
    window = random_walk(BARS - 1, seed=1)

    assert ANALYZER.regime(window) == RegimeReading()


def test_bars_before_the_needed_ones_do_not_count() -> None:
    window = random_walk(BARS + 200, seed=2)

    assert ANALYZER.regime(window) == ANALYZER.regime(window.last(BARS))


def pair(seed: int, weight: float) -> tuple[CandleWindow, CandleWindow]:
    """Two markets whose returns share a part of `weight`."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (2, 150))
    mixed = weight * noise[0] + (1 - abs(weight)) * noise[1]
    own, btc = (100 * np.exp(np.cumsum(returns)) for returns in (mixed, noise[0]))
    return window_of(own), window_of(btc, symbol="BTC/USDT")


@pytest.mark.parametrize("weight", [0.7, 0.2, -0.5])
def test_correlation_is_numpys_of_the_last_log_returns(weight: float) -> None:
    own, btc = pair(7, weight)
    own_returns, btc_returns = (np.diff(np.log(w.close[-101:])) for w in (own, btc))

    expected = np.corrcoef(own_returns, btc_returns)[0, 1]

    assert ANALYZER.btc_correlation(own, btc) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_correlation_of_twins_is_exactly_within_bounds(weight: float) -> None:
    value = return_correlation(*pair(8, weight))

    assert value == pytest.approx(weight, abs=1e-12)
    assert value is not None and -1.0 <= value <= 1.0


def test_only_bars_that_both_hold_are_paired() -> None:
    own, btc = pair(9, 0.5)
    held = np.delete(np.arange(150), [60, 61, 100])
    holed = CandleWindow(
        "AAA/USDT", Timeframe.M5, *(getattr(own, name)[held] for name in COLUMNS)
    )
    own_returns = np.diff(np.log(own.close[held][-101:]))
    btc_returns = np.diff(np.log(btc.close[held][-101:]))

    expected = np.corrcoef(own_returns, btc_returns)[0, 1]

    assert return_correlation(holed, btc) == pytest.approx(expected, abs=1e-12)


def test_too_few_bars_or_a_price_that_stood_still_have_no_correlation() -> None:
    own, btc = pair(10, 0.5)

    assert return_correlation(own.last(100), btc) is None
    assert return_correlation(own.last(101), btc) is not None
    assert return_correlation(window_of([0.1] * 150), btc) is None


def test_returns_that_never_vary_have_no_correlation() -> None:
    _, btc = pair(12, 0.5)
    steady = window_of(100 * 1.001 ** np.arange(150.0))

    assert return_correlation(steady, btc) is None, "only rounding would be compared"


def test_correlation_over_two_time_frames_is_refused() -> None:
    own, _ = pair(11, 0.5)
    hourly = window_of([1.0, 2.0], timeframe=Timeframe.H1, symbol="BTC/USDT")

    with pytest.raises(ValueError, match="5m of AAA/USDT and 1h of BTC/USDT"):
        return_correlation(own, hourly)
