"""A value at a bar is the same whatever came after that bar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.indicators.base import Indicator
from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.market_sentiment import MarketSentiment
from app.analysis.service import IndicatorService
from tests.analysis.windows import (
    contents,
    every_indicator,
    first_bars,
    random_walk,
    window_of,
)

found = pytest.mark.parametrize(
    "indicator", every_indicator(), ids=lambda indicator: type(indicator).__name__
)
seeds = st.integers(0, 2**32 - 1)
# Steps of 0 make runs of equal closes, where the special cases live.
closes = st.lists(
    st.sampled_from([-0.05, -0.01, 0.0, 0.0, 0.0, 0.01, 0.05]), min_size=2, max_size=90
).map(lambda steps: 100.0 * np.exp(np.cumsum(steps)))


@found
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=seeds, bars=st.integers(2, 300), part=st.floats(0, 1))
def test_series_of_walks_do_not_see_later_bars(
    indicator: Indicator, seed: int, bars: int, part: float
) -> None:
    window = random_walk(bars, seed, deviation=0.02)
    kept = 1 + int(part * (bars - 1))
    earlier = first_bars(window, kept)

    for whole, cut in zip(
        indicator.series(window), indicator.series(earlier), strict=True
    ):
        assert len(whole) == bars and len(cut) == kept
        np.testing.assert_array_equal(whole[:kept], cut)


@found
@settings(max_examples=40, deadline=None, derandomize=True)
@given(close=closes, data=st.data())
def test_series_of_markets_that_pause_do_not_see_later_bars(
    indicator: Indicator, close: np.ndarray, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, len(close)))
    whole, cut = window_of(close), window_of(close[:kept])

    for all_values, first_values in zip(
        indicator.series(whole), indicator.series(cut), strict=True
    ):
        np.testing.assert_array_equal(all_values[:kept], first_values)


@found
def test_series_leave_the_bars_untouched(indicator: Indicator) -> None:
    window = random_walk(400, seed=3)
    before = contents(window)

    indicator.series(window)

    assert contents(window) == before


@pytest.mark.parametrize("bars", [370, 450])
def test_readings_are_the_same_when_later_bars_are_cut_off(bars: int) -> None:
    window = random_walk(500, seed=9)
    bar_at = first_bars(window, bars).last_open_at
    cut = window_of(
        window.close[:bars],
        open_=window.open[:bars],
        volume=window.volume[:bars],
    )
    altered = window_of(
        np.concatenate((window.close[:bars], window.close[bars:] * 50)),
        open_=np.concatenate((window.open[:bars], window.close[bars:])),
        volume=window.volume,
    )

    for read in (
        MarketAnalyzer().regime,
        MarketSentiment().score,
        IndicatorService().latest,
    ):
        assert read(cut) == read(altered.until(bar_at))
