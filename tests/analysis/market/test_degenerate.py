"""Markets that stand still, hardly exist or leap: a value, or None, and no warning."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from tests.analysis.blindness import leaves
from tests.analysis.discovery import Kind, Probe, find_probes
from tests.analysis.feeds import Feed
from tests.analysis.windows import FIRST_OPEN

ROOMS = (
    "beta",
    "breadth",
    "common_bars",
    "correlation",
    "correlation_matrix",
    "impulse",
    "market_analyzer",
    "market_context",
    "market_sentiment",
    "preparation",
    "regimes",
    "sentiment",
    "trend_strength",
    "volatility",
    "volume_anomaly",
)
PROBES = [probe for probe in find_probes()[0] if probe.name.split(".")[2] in ROOMS]
# The one state whose figures are an array: NaN stands for None there.
MATRIX = "correlation_matrix"

prices = st.sampled_from([1e-10, 1e-10, 0.1, 0.1, 0.1, 100.0, 1e12])
volumes = st.sampled_from([0.0, 0.0, 1e-12, 1.0, 1e12])


@st.composite
def odd_markets(draw: st.DrawFn) -> CandleWindow:
    """Bars of a few prices, often the same, that may repeat hundreds of times."""
    pattern = draw(
        st.lists(st.tuples(prices, prices, prices, prices, volumes), max_size=4)
    )
    bars = np.array(pattern).reshape(-1, 5)
    bars = np.resize(bars, (draw(st.sampled_from([0, 1, 2, 3, 60, 600])), 5))
    if not pattern:
        bars = bars[:0]
    high = bars[:, :4].max(axis=1, initial=0.0)
    low = bars[:, :4].min(axis=1, initial=np.inf)
    times = FIRST_OPEN + np.arange(len(bars)) * np.timedelta64(5, "m")
    columns = (bars[:, 0], high, low, bars[:, 3], bars[:, 4])
    return CandleWindow("AAA/USDT", Timeframe.M5, times, *columns)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name[13:])
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(window=odd_markets())
def test_odd_markets_have_a_value_or_none(probe: Probe, window: CandleWindow) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = probe(Feed.of(window))
        except BadData as error:
            assert not len(window) and "must be at least 1" in str(error)
            return

    for leaf in leaves(result):
        if isinstance(leaf, float):
            assert math.isfinite(leaf), f"{leaf} of the last bar must be None"
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f":
            assert not np.isinf(leaf).any()
            assert probe.kind is not Kind.STATE or MATRIX in probe.name


def test_all_rooms_have_something_to_check() -> None:
    found = {probe.name.split(".")[2] for probe in PROBES}

    assert found == set(ROOMS)
