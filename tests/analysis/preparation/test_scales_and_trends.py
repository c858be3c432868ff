"""Smoothing, scales and trends against pandas and numpy, and blind to the future."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.preparation import normalisation as scales
from app.analysis.preparation.rolling import reduce_rolling, rows_of
from app.analysis.preparation.smoothing import Smoothing, smooth
from app.analysis.preparation.trend import regression_trend
from app.analysis.window import FloatArray
from tests.analysis.windows import random_walk, window_of

PERIOD = 10
VALUES = np.round(random_walk(200, seed=4, deviation=0.02).close, 1)  # some are equal
SERIES = pd.Series(VALUES)
PAST = SERIES.shift(1)

Transform = Callable[[FloatArray], FloatArray]
TRANSFORMS: dict[str, Transform] = {
    "rolling_zscore": partial(scales.rolling_zscore, period=PERIOD),
    "expanding_zscore": partial(scales.expanding_zscore, min_bars=PERIOD),
    "rolling_min_max": partial(scales.rolling_min_max, period=PERIOD),
    "expanding_min_max": partial(scales.expanding_min_max, min_bars=PERIOD),
    "rolling_rank": partial(scales.rolling_rank, period=PERIOD),
    "expanding_rank": partial(scales.expanding_rank, min_bars=PERIOD),
    **{
        method.value: partial(smooth, period=PERIOD, method=method)
        for method in Smoothing
    },
}
each = pytest.mark.parametrize("name", TRANSFORMS)


def rank_of(past: np.ndarray, value: float) -> float:
    """Part of `past` below a value, equal ones by half."""
    return float(((past < value) + 0.5 * (past == value)).mean())


def weighted(last: np.ndarray) -> float:
    return float(np.average(last, weights=np.arange(1, len(last) + 1)))


def expected(name: str) -> pd.Series:
    """The plain pandas or numpy way, bar after bar."""
    rolling, expanding = PAST.rolling(PERIOD), PAST.expanding(PERIOD)
    past = rolling if name.startswith("rolling") else expanding
    last = SERIES.rolling(PERIOD)
    match name.rpartition("_")[2]:
        case "zscore":
            return (SERIES - past.mean()) / past.std(ddof=0)
        case "max":
            return (SERIES - past.min()) / (past.max() - past.min())
        case "rank":
            first = 0 if name.startswith("exp") else -PERIOD
            ranks = [rank_of(VALUES[:i][first:], VALUES[i]) for i in range(PERIOD, 200)]
            return pd.Series([np.nan] * PERIOD + ranks)
        case "exponential":
            seeded = SERIES.copy()
            seeded[PERIOD - 1] = SERIES[:PERIOD].mean()
            seeded[: PERIOD - 1] = np.nan
            return seeded.ewm(span=PERIOD, adjust=False, ignore_na=True).mean()
        case "weighted":
            return last.apply(weighted, raw=True)
        case "simple":
            return last.mean()
        case "median":
            return last.median()
    raise AssertionError(name)


@each
def test_values_are_those_of_the_plain_way(name: str) -> None:
    np.testing.assert_allclose(
        TRANSFORMS[name](VALUES), expected(name), rtol=1e-9, atol=1e-12
    )


@each
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    values=st.lists(
        st.sampled_from([1.0, 1.0, 2.5, 1e-10, 1e12]) | st.floats(1e-10, 1e12),
        max_size=60,
    ),
    data=st.data(),
)
def test_each_value_is_made_of_the_past_alone(
    name: str, values: list[float], data: st.DataObject
) -> None:
    kept = data.draw(st.integers(0, len(values)))
    whole = TRANSFORMS[name](np.array(values))

    assert whole.shape == (len(values),) and not np.isinf(whole).any()
    np.testing.assert_array_equal(
        whole[:kept], TRANSFORMS[name](np.array(values[:kept]))
    )


@pytest.mark.parametrize("period", [1, 7, 200])
def test_rows_are_those_of_numpys_windows(period: int) -> None:
    for values in (VALUES, VALUES[::-1], VALUES[:period]):
        expected = np.lib.stride_tricks.sliding_window_view(values, period)
        np.testing.assert_array_equal(rows_of(values, period), expected)
    with pytest.raises(ValueError):
        rows_of(VALUES[: period - 1], period + 1)


def test_long_series_are_worked_off_in_parts_with_the_same_result() -> None:
    values = random_walk(9_000, seed=1).close

    whole = scales.rolling_zscore(values, 50)

    np.testing.assert_array_equal(
        whole[-50:], scales.rolling_zscore(values[-100:], 50)[-50:]
    )


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [
        ("rolling_zscore", 0.0, np.nan),
        ("expanding_zscore", 0.0, np.nan),
        ("rolling_min_max", 0.5, np.nan),
        ("expanding_min_max", 0.5, np.nan),
        ("rolling_rank", 0.5, 1.0),
        ("expanding_rank", 0.5, 1.0),
    ],
)
def test_a_yardstick_without_length(name: str, same: float, other: float) -> None:
    values = np.append(np.full(PERIOD + 1, 0.1), 0.2)

    result = TRANSFORMS[name](values)

    np.testing.assert_array_equal(result[-2:], [same, other])
    assert np.isnan(result[:PERIOD]).all()


def test_values_still_warming_up_stay_without_a_scale() -> None:
    values = np.r_[np.full(5, np.nan), VALUES[:20]]

    for name in ("rolling_zscore", "rolling_min_max", "rolling_rank"):
        np.testing.assert_array_equal(
            TRANSFORMS[name](values)[5:], TRANSFORMS[name](VALUES[:20])
        )


def test_the_trend_is_numpys_line_through_the_log_closes() -> None:
    window = random_walk(80, seed=6, deviation=0.02)
    steps, log_close = np.arange(20), np.log(window.close)

    trend = regression_trend(window, 20)

    assert np.isnan(trend.slope[:19]).all() and np.isnan(trend.r_squared[:19]).all()
    for bar in range(19, 80):
        last = log_close[bar - 19 : bar + 1]
        assert trend.slope[bar] == pytest.approx(np.polyfit(steps, last, 1)[0])
        assert trend.r_squared[bar] == pytest.approx(
            np.corrcoef(steps, last)[0, 1] ** 2
        )


def test_a_steady_climb_is_all_trend_and_a_still_price_none() -> None:
    climb = regression_trend(window_of(1e-10 * 1.01 ** np.arange(60)), 50)
    still = regression_trend(window_of([0.1] * 60), 50)

    assert climb.slope[-1] == pytest.approx(np.log(1.01))
    assert climb.r_squared[-1] == pytest.approx(1.0)
    assert still.slope[-1] == still.r_squared[-1] == 0.0


def test_lengths_that_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="2 bars says nothing"):
        regression_trend(random_walk(9, seed=1), 2)
    with pytest.raises(ValueError, match="period is 1, must be at least 2"):
        smooth(VALUES, 1)
    with pytest.raises(ValueError, match="period is 0, must be at least 1"):
        reduce_rolling(VALUES, 0, np.ravel)
