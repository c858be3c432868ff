"""Structure and patterns of markets that stand still, hardly exist or leap."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.finding import Finding
from app.analysis.patterns.recognition import find_patterns, patterns_at_last_bar
from app.analysis.structure.state import structure_state
from app.analysis.structure.swings import find_swings
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.discovery import Probe, find_probes
from tests.analysis.feeds import Feed
from tests.analysis.windows import FIRST_OPEN, first_bars, random_walk, window_of

ROOMS = ("structure", "patterns")
PROBES = [probe for probe in find_probes()[0] if probe.name.split(".")[2] in ROOMS]

prices = st.sampled_from([1e-10, 1e-10, 0.1, 0.1, 0.3, 100.0, 1e12, 1e12])
# Opens and closes may lie outside of high and low: some venues publish such bars.
bars = st.tuples(prices, prices, prices, prices, st.sampled_from([0.0, 1.0, 1e12]))


@st.composite
def odd_markets(draw: st.DrawFn) -> CandleWindow:
    """A few odd bars, repeated up to hundreds of times, some of them missing."""
    pattern = draw(st.lists(bars, min_size=1, max_size=5))
    size = draw(st.sampled_from([0, 1, 2, 3, 16, 60, 550]))
    rows = np.resize(np.array(pattern), (size, 5))
    places = np.arange(size) * draw(st.sampled_from([1, 1, 2]))
    high, low = rows[:, 1:3].max(axis=1), rows[:, 1:3].min(axis=1)
    times = FIRST_OPEN + places * np.timedelta64(5, "m")
    columns = (rows[:, 0], high, low, rows[:, 3], rows[:, 4])
    return CandleWindow("AAA/USDT", Timeframe.M5, times, *columns)


def plain_values(item: Any) -> Iterator[Any]:
    if is_dataclass(item):
        for field in fields(item):
            yield from plain_values(getattr(item, field.name))
    elif isinstance(item, (tuple, list)):
        for part in item:
            yield from plain_values(part)
    else:
        yield item


def judge(result: Any) -> None:
    for value in plain_values(result):
        assert isinstance(value, (int, float, str, Enum, datetime, type(None)))
        assert not isinstance(value, float) or math.isfinite(value)
    for finding in result if isinstance(result, tuple) else ():
        assert isinstance(finding, Finding)
        for field in fields(finding):
            value = getattr(finding, field.name)
            if field.name in ("confidence", "overlap") and value is not None:
                assert 0 <= value <= 1
        top, bottom = getattr(finding, "top", 1.0), getattr(finding, "bottom", 0.0)
        assert top >= bottom


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name[13:])
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(window=odd_markets())
def test_odd_markets_have_values_or_none(probe: Probe, window: CandleWindow) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = probe(Feed.of(window))

    judge(result)


@pytest.mark.parametrize("start", [1e-10, 1.0, 1e12])
def test_the_height_of_prices_changes_no_structure(start: float) -> None:
    # Powers of two scale exactly.
    plain = random_walk(500, seed=3)
    factor = 2.0 ** round(math.log2(start / 100))
    columns = (
        getattr(plain, name) * factor for name in ("open", "high", "low", "close")
    )
    scaled = CandleWindow(
        plain.symbol, plain.timeframe, plain.open_at, *columns, plain.volume
    )

    here, there = structure_state(plain), structure_state(scaled)
    assert here.trend is there.trend and here.last_choch is not None
    assert there.last_choch is not None
    assert here.last_choch.broken_at == there.last_choch.broken_at
    for side in ("bullish", "bearish"):
        ours, theirs = getattr(here, side), getattr(there, side)
        assert (ours.order_blocks, ours.open_gaps, ours.pools) == (
            theirs.order_blocks,
            theirs.open_gaps,
            theirs.pools,
        )
    swings = [(s.happened_at, s.label, s.broken_at) for s in find_swings(plain)]
    assert swings == [
        (s.happened_at, s.label, s.broken_at) for s in find_swings(scaled)
    ]


def test_a_market_that_stands_still_has_no_pattern() -> None:
    still = window_of(np.full(200, 5.0), volume=0.0)

    assert find_patterns(still) == ()
    assert patterns_at_last_bar(still).readings == ()
    state = structure_state(still)
    assert state.trend is None and state.dealing_range is None
    assert state.bullish.open_gaps == state.bullish.order_blocks == 0


def test_one_bar_and_none_have_no_findings() -> None:
    for size in (0, 1):
        window = first_bars(random_walk(5, seed=1), size)
        assert find_patterns(window) == find_swings(window) == ()
