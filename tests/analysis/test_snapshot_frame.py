"""One series at its last bar: declared bars only, odd markets included."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.analysis.service import IndicatorService
from app.analysis.snapshot.frame import FrameAnalysis
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.feeds import keep_bars
from tests.analysis.windows import random_walk, window_of

ANALYSIS = FrameAnalysis()


def figures(window: CandleWindow) -> dict[str, float | None]:
    return dict(zip(ANALYSIS.names, ANALYSIS.read(window).figures, strict=True))


def test_bars_before_the_declared_ones_change_nothing() -> None:
    window = random_walk(1_500, seed=2)
    needed = ANALYSIS.bars_needed_on(window.timeframe)
    assert ANALYSIS.read(window) == ANALYSIS.read(window.last(needed))
    assert ANALYSIS.read(window).bars == needed < ANALYSIS.slots_on(window.timeframe)


def test_no_figure_needs_more_than_is_declared() -> None:
    for timeframe in Timeframe:
        needs = ANALYSIS.needs(timeframe)
        declared = ANALYSIS.bars_needed_on(timeframe)
        assert max(needs.values()) <= declared
        assert declared >= IndicatorService().bars_needed_on(timeframe)


def test_what_warms_up_is_what_lacks_bars() -> None:
    window = random_walk(60, seed=3)
    cold = ANALYSIS.warming_up(window.timeframe, len(window))
    expected = set(IndicatorService().warming_up(window))
    assert {n for n in cold if n in ANALYSIS.indicator_names} == expected
    assert ANALYSIS.warming_up(window.timeframe, 10_000) == ()
    found = figures(window)
    assert all(found[name] is None for name in expected)


def test_what_is_listed_as_warming_up_has_no_value_at_any_length() -> None:
    window = random_walk(600, seed=4)
    needs = ANALYSIS.needs(window.timeframe)
    lengths = {need - less for need in needs.values() for less in (0, 1)}
    for bars in sorted(lengths):
        found = figures(window.last(bars))
        cold = ANALYSIS.warming_up(window.timeframe, bars)
        assert {found[name] for name in cold} <= {None}, bars
        readings = ("volatility.", "trend.", "volume.", "regime.")
        there = [n for n in found if n.startswith(readings) and n not in cold]
        assert None not in {found[name] for name in there}, bars


@pytest.mark.parametrize(
    ("missing", "age"), [((), None), ((395,), 4.0), ((10, 200), 199.0)]
)
def test_the_newest_gap_is_dated(missing: tuple[int, ...], age: float | None) -> None:
    is_there = np.ones(400, dtype=bool)
    is_there[list(missing)] = False
    found = figures(keep_bars(random_walk(400, seed=5), is_there))
    assert found["window.gap_age"] == age
    assert found["window.missing_bars"] == len(missing)


def test_months_of_any_length_are_no_gap() -> None:
    months = np.arange("2015-01", "2024-01", dtype="datetime64[M]")
    price = np.linspace(10, 20, len(months))
    columns = (price, price + 1, price - 1, price, price)
    times = months.astype("datetime64[us]")
    whole = CandleWindow("AAA/USDT", Timeframe.MN1, times, *columns)
    assert figures(whole)["window.gap_age"] is None
    is_there = np.ones(len(months), dtype=bool)
    is_there[-3] = False
    assert figures(keep_bars(whole, is_there))["window.gap_age"] == 2


@pytest.mark.parametrize("price", [1e-10, 1.0, 1e12])
@pytest.mark.parametrize("bars", [0, 1, 2, 700])
def test_still_markets_have_values_or_none(price: float, bars: int) -> None:
    window = window_of(np.full(bars, price), volume=0.0)
    values = [v for v in figures(window).values() if v is not None]
    assert all(math.isfinite(value) for value in values)
    assert ANALYSIS.read(window).bars == min(
        bars, ANALYSIS.bars_needed_on(window.timeframe)
    )
