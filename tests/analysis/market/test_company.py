"""A market among others: beta, correlation matrix and breadth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.beta import latest_beta, rolling_beta
from app.analysis.breadth import BreadthReading, market_breadth
from app.analysis.correlation import return_correlation
from app.analysis.correlation_matrix import correlation_matrix
from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.preparation.frames import ohlcv_to_dataframe
from app.analysis.preparation.rolling import reduce_rolling_pair
from app.domain.timeframe import Timeframe
from tests.analysis.feeds import keep_bars
from tests.analysis.windows import random_walk, window_of

BTC = random_walk(300, seed=1, deviation=0.01)


def follower(beta: float, seed: int = 2) -> np.ndarray:
    """Closes that follow BTC's returns `beta` times, with some noise."""
    noise = np.random.default_rng(seed).normal(0, 0.002, len(BTC) - 1)
    returns = beta * np.diff(np.log(BTC.close)) + noise
    return 50 * np.exp(np.r_[0.0, np.cumsum(returns)])


def test_beta_is_the_slope_of_the_regression_on_btc() -> None:
    window = window_of(follower(1.7))
    own, btc = (pd.Series(np.log(w.close)).diff() for w in (window, BTC))
    expected = own.rolling(60).cov(btc) / btc.rolling(60).var()

    beta = rolling_beta(window, BTC, 60)

    np.testing.assert_allclose(beta, expected, rtol=1e-8)
    assert beta[-1] == pytest.approx(1.7, abs=0.1)
    assert latest_beta(window, BTC, 60) == pytest.approx(beta[-1], rel=1e-12)


def test_only_common_bars_are_paired() -> None:
    own = keep_bars(window_of(follower(0.5)), np.arange(300) % 11 != 4)
    btc = keep_bars(BTC, np.arange(300) % 13 != 5)
    log = (np.log(ohlcv_to_dataframe(window)["close"]) for window in (own, btc))
    common = pd.concat(log, axis=1, join="inner", keys=["own", "btc"]).diff()
    expected = common["own"].rolling(40).cov(common["btc"])
    expected = expected / common["btc"].rolling(40).var()

    beta = rolling_beta(own, btc, 40)

    times = pd.DatetimeIndex(own.open_at, tz="UTC")
    np.testing.assert_allclose(beta, expected.reindex(times), rtol=1e-8)


def test_beta_to_a_market_that_stood_still_is_undefined() -> None:
    window, still = window_of(follower(1.0)), window_of([0.1] * 300)
    steady = window_of(100 * 1.001 ** np.arange(300.0))

    for benchmark in (still, steady):
        assert np.isnan(rolling_beta(window, benchmark)).all()
        assert latest_beta(window, benchmark) is None
    assert latest_beta(still, window) == 0.0
    assert latest_beta(window.last(100), BTC) is None


def test_wrong_pairs_are_refused() -> None:
    hourly = random_walk(300, seed=1, timeframe=Timeframe.H1)

    with pytest.raises(ValueError, match="5m of AAA/USDT and 1h of"):
        rolling_beta(BTC, hourly)
    with pytest.raises(ValueError, match="beta over 1 returns"):
        rolling_beta(BTC, BTC, 1)
    with pytest.raises(ValueError, match="lengths are 3 and 2"):
        reduce_rolling_pair(np.ones(3), np.ones(2), 2, np.add)


def test_the_matrix_is_that_of_numpy() -> None:
    windows = {
        "BTC": BTC,
        "A": window_of(follower(2.0)),
        "B": window_of(follower(-1.0, seed=3)),
        "C": random_walk(300, seed=9),
    }
    returns = [np.diff(np.log(window.close))[-100:] for window in windows.values()]

    matrix = correlation_matrix(windows)

    np.testing.assert_allclose(matrix.values, np.corrcoef(returns), atol=1e-12)
    assert (np.diag(matrix.values) == 1.0).all()
    pair = return_correlation(windows["A"], windows["C"])
    assert matrix.get_pair("A", "C") == pytest.approx(pair, abs=1e-12)
    with pytest.raises(KeyError, match="D is not one of the 4 markets"):
        matrix.get_pair("A", "D")


def test_markets_that_cannot_be_compared_are_left_out_alone() -> None:
    windows = {
        "BTC": BTC,
        "short": BTC.last(100),
        "halted": BTC._slice(0, 299),
        "still": window_of([0.1] * 300),
        "holed": keep_bars(window_of(follower(1.0)), np.arange(300) % 9 != 3),
        "empty": BTC._slice(0, 0),
    }

    matrix = correlation_matrix(windows)

    known = ~np.isnan(matrix.values)
    assert known[0].tolist() == [True, False, False, False, True, False]
    assert known.sum() == 4, "BTC and the one with holes, over their common bars"
    assert matrix.get_pair("BTC", "still") is None


def test_few_markets_and_mixed_time_frames() -> None:
    assert correlation_matrix({}).values.shape == (0, 0)
    assert np.isnan(correlation_matrix({"A": BTC.last(50)}).values).all()
    mixed = {"A": BTC, "B": random_walk(300, seed=1, timeframe=Timeframe.H1)}
    with pytest.raises(ValueError, match=r"\['1h', '5m'\]"):
        correlation_matrix(mixed)
    with pytest.raises(ValueError, match=r"\['1h', '5m'\]"):
        market_breadth(mixed)


def test_breadth_counts_each_market_once() -> None:
    flat = [100.0] * 500
    windows = {
        "new high": window_of([*flat, 101.0]),
        "new low": window_of([*flat, 99.0]),
        "second high": window_of([*flat, 101.0, 100.5][1:]),
        "still": window_of([*flat, 100.0]),
        "young": keep_bars(window_of([*flat, 100.5]), np.arange(501) >= 499),
        "stale": window_of(flat),
        "empty": window_of(flat)._slice(0, 0),
    }

    breadth = market_breadth(windows)

    assert breadth == BreadthReading(
        markets=5,
        stale=2,
        advancing=2,
        declining=2,
        unchanged=1,
        judged_by_ema=4,
        above_ema=2,
        judged_by_range=4,
        new_highs=1,
        new_lows=1,
    )
    assert breadth.above_ema_share == 0.5 and breadth.advance_decline == 0.0
    assert breadth.score == 0.0


def test_breadth_of_nothing_is_unknown() -> None:
    for windows in ({}, {"A": BTC.last(1)}):
        breadth = market_breadth(windows)
        assert breadth.above_ema_share is breadth.advance_decline is None
        assert breadth.score is None


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    seeds=st.lists(st.integers(0, 99), max_size=5, unique=True),
    bars=st.integers(0, 260),
    price=st.sampled_from([1e-10, 1.0, 1e12]),
)
def test_shares_and_correlations_stay_within_their_bounds(
    seeds: list[int], bars: int, price: float
) -> None:
    whole = {str(seed): random_walk(300, seed, start=price) for seed in seeds}
    windows = {name: window.last(bars) for name, window in whole.items()}
    analyzer = MarketAnalyzer()

    matrix, breadth = analyzer.correlation_matrix(windows), analyzer.breadth(windows)

    known = matrix.values[~np.isnan(matrix.values)]
    assert (np.abs(known) <= 1.0).all()
    assert known.size == (len(seeds) ** 2 if bars > 100 else 0)
    assert breadth.score is None or -1.0 <= breadth.score <= 1.0
