"""Volatility estimators against their published formulas and a known truth."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.volatility.close_to_close import annual_factor, realized_volatility
from app.analysis.volatility.range_based import garman_klass, yang_zhang
from app.analysis.volatility.reading import read_volatility, volatility_bars_needed
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.windows import FIRST_OPEN, random_walk, window_of

Bar = tuple[float, float, float, float]


def bars_of(*bars: Bar) -> CandleWindow:
    """Hourly (open, high, low, close) bars."""
    columns = np.array(bars).T
    times = FIRST_OPEN + np.arange(len(bars)) * np.timedelta64(1, "h")
    return CandleWindow("A", Timeframe.H1, times, *columns, np.ones(len(bars)))


def simulated(bars: int, deviation: float, drift: float, jump: float) -> CandleWindow:
    """Bars of a geometric Brownian motion watched 2,000 times a bar."""
    noise, ticks = np.random.default_rng(5), 2000
    steps = noise.normal(drift / ticks, deviation / math.sqrt(ticks), (bars, ticks))
    jumps = noise.normal(0.0, jump, bars) if jump else np.zeros(bars)
    path = np.cumsum(steps, axis=1)
    opens = np.cumsum(jumps) + np.r_[0.0, np.cumsum(path[:-1, -1])]
    high = opens + np.maximum(path.max(axis=1), 0)
    low = opens + np.minimum(path.min(axis=1), 0)
    return bars_of(*np.exp(np.c_[opens, high, low, opens + path[:, -1]]).tolist())


def test_realized_volatility_is_the_sample_deviation_of_log_returns() -> None:
    window = random_walk(60, seed=1)
    returns = [math.log(b / a) for a, b in zip(window.close, window.close[1:])]

    values = realized_volatility(window, 20)

    assert np.isnan(values[:20]).all()
    for bar in range(20, 60):
        expected = statistics.stdev(returns[bar - 20 : bar])
        assert values[bar] == pytest.approx(expected)


def test_garman_klass_of_bars_worked_out_by_hand() -> None:
    # A bar that ends where it began, and one that only climbs: its range is its body.
    swing = garman_klass(bars_of((100, 110, 95, 100)), 1)
    climb = garman_klass(bars_of((100, 105, 100, 105)), 1)

    assert swing[-1] == pytest.approx(math.sqrt(0.5) * math.log(110 / 95))
    assert climb[-1] == pytest.approx(
        math.sqrt(0.5 - 0.3862943611198906) * math.log(1.05)
    )


def test_yang_zhang_is_the_formula_of_the_paper() -> None:
    window = simulated(40, 0.02, 0.001, 0.005)
    rows = np.c_[window.open, window.high, window.low, window.close].tolist()
    n, jumps, bodies, satchell = 25, [], [], []
    for (_, _, _, before), (o, h, low, c) in list(zip(rows, rows[1:]))[-n:]:
        jumps.append(math.log(o / before))
        bodies.append(math.log(c / o))
        up, down = math.log(h / o), math.log(low / o)
        satchell.append(up * (up - bodies[-1]) + down * (down - bodies[-1]))
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    variance = statistics.variance(jumps) + k * statistics.variance(bodies)
    variance += (1 - k) * statistics.mean(satchell)

    values = yang_zhang(window, n)

    assert np.isnan(values[:n]).all() and not np.isnan(values[n:]).any()
    assert values[-1] == pytest.approx(math.sqrt(variance))


def test_estimators_find_the_volatility_of_a_known_motion() -> None:
    # 2,000 looks a bar miss a little of the true range: up to 4 % is let off.
    plain = simulated(1500, 0.02, 0.0, 0.0)
    drifting = simulated(1500, 0.02, 0.03, 0.01)

    assert garman_klass(plain, 1500)[-1] == pytest.approx(0.02, rel=0.04)
    assert yang_zhang(plain, 1499)[-1] == pytest.approx(0.02, rel=0.04)
    with_jumps = math.hypot(0.02, 0.01)
    assert yang_zhang(drifting, 1499)[-1] == pytest.approx(with_jumps, rel=0.04)


def test_closes_outside_of_the_reported_range_widen_it() -> None:
    reported = bars_of((100, 101, 99, 110), (110, 111, 109, 95))
    widened = bars_of((100, 110, 99, 110), (110, 111, 95, 95))

    for estimate in (garman_klass, yang_zhang):
        np.testing.assert_array_equal(estimate(reported, 2), estimate(widened, 2))
    assert garman_klass(reported, 2)[-1] > 0.05


@pytest.mark.parametrize("price", [1e-10, 0.1, 1e12])
def test_a_price_that_stands_still_has_no_volatility(price: float) -> None:
    reading = read_volatility(window_of([price] * volatility_bars_needed(), volume=0.0))

    assert reading.realized == reading.garman_klass == reading.yang_zhang == 0.0
    assert reading.annualized == reading.atr_ratio == 0.0
    assert reading.atr_percentile == 1.0


def test_a_reading_is_of_the_last_bars_alone() -> None:
    window = random_walk(volatility_bars_needed() + 150, seed=4)

    reading = read_volatility(window)

    assert reading == read_volatility(window.last(volatility_bars_needed()))
    assert reading.realized == realized_volatility(window, 30)[-1]
    assert reading.yang_zhang is not None and reading.annualized is not None
    # A year has 105,120 bars of 5 minutes.
    assert reading.annualized == pytest.approx(reading.yang_zhang * math.sqrt(105_120))


def test_parts_come_one_after_the_other() -> None:
    analyzer = MarketAnalyzer()

    assert read_volatility(random_walk(30, 1)).realized is None
    few = analyzer.volatility(random_walk(31, 1))
    assert few.realized and few.garman_klass and few.yang_zhang
    assert few.atr_ratio is None
    more = analyzer.volatility(random_walk(volatility_bars_needed() - 1, 1))
    assert more.atr_ratio and more.atr_percentile is None


def test_a_year_has_so_many_bars() -> None:
    assert annual_factor(Timeframe.D1) == pytest.approx(math.sqrt(365))
    assert annual_factor(Timeframe.M1) == pytest.approx(math.sqrt(525_600))


def test_too_few_bars_to_vary_are_refused() -> None:
    window = random_walk(10, seed=1)

    for estimate, bars in (
        (realized_volatility, 1),
        (yang_zhang, 1),
        (garman_klass, 0),
    ):
        with pytest.raises(ValueError, match=f"volatility over {bars} "):
            estimate(window, bars)
