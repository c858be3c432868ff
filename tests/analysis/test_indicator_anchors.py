"""Sums without an end start where they say, wherever a window begins."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.indicators.accumulation_distribution import (
    AccumulationDistribution,
)
from app.analysis.indicators.obv import Obv
from app.analysis.indicators.vwap import SESSION_OPENS, Vwap
from app.analysis.rolling import held_for, rolling_sum
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.windows import random_walk

WALK = random_walk(900, seed=8)


@pytest.mark.parametrize("end", [50, 51, 99, 100, 101, 149, 420, 900])
def test_obv_and_ad_are_talibs_of_the_declared_window_at_every_bar(end: int) -> None:
    cut = WALK._slice(end - 50, end)

    obv, line = Obv(50).series(WALK)[0], AccumulationDistribution(50).series(WALK)[0]

    bare = talib.OBV(cut.close, cut.volume)[-1]
    assert obv[end - 1] == pytest.approx(bare, rel=1e-9, abs=1e-9)
    bare = talib.AD(cut.high, cut.low, cut.close, cut.volume)[-1]
    assert line[end - 1] == pytest.approx(bare, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("session", SESSION_OPENS)
@pytest.mark.parametrize("bar", [288, 400, 455, 456, 576, 899])
def test_vwap_starts_anew_where_its_session_opens(session: str, bar: int) -> None:
    first_open = 12 * int(SESSION_OPENS[session].total_seconds()) // 3600
    start = bar - (bar - first_open) % 288

    (vwap,) = Vwap(session).series(WALK)

    part = slice(start, bar + 1)
    price = (WALK.high + WALK.low + WALK.close)[part] / 3
    expected = np.average(price, weights=WALK.volume[part])
    assert vwap[bar] == pytest.approx(expected, rel=1e-12)


def test_vwap_of_a_session_is_talibs() -> None:
    day = WALK._slice(288, 576)

    (vwap,) = Vwap().series(WALK)

    bare = talib.VWAP(day.high, day.low, day.close, day.volume)
    np.testing.assert_allclose(vwap[288:576], bare, rtol=1e-9)


@pytest.mark.parametrize(
    ("timeframe", "bars"),
    [(Timeframe.M1, 1440), (Timeframe.H1, 24), (Timeframe.D1, 1), (Timeframe.W1, 1)],
)
def test_vwap_needs_the_bars_of_a_session(timeframe: Timeframe, bars: int) -> None:
    assert Vwap().bars_needed_on(timeframe) == bars
    assert Vwap().bars_needed == 1440


def test_vwap_of_a_bar_as_long_as_its_session_is_its_typical_price() -> None:
    days = random_walk(5, seed=1, timeframe=Timeframe.D1)

    (vwap,) = Vwap().series(days)

    expected = (days.high + days.low + days.close) / 3
    np.testing.assert_allclose(vwap, expected, rtol=1e-12)


def test_a_session_goes_on_over_bars_that_are_missing() -> None:
    kept = np.delete(np.arange(900), np.s_[280:300])
    columns = ("open_at", "open", "high", "low", "close", "volume")
    holed = CandleWindow(
        WALK.symbol, WALK.timeframe, *(getattr(WALK, c)[kept] for c in columns)
    )

    (vwap,) = Vwap().series(holed)

    part = slice(300, 311)  # the day opened within the hole
    price = (WALK.high + WALK.low + WALK.close)[part] / 3
    expected = np.average(price, weights=WALK.volume[part])
    assert vwap[290] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    values=st.lists(st.integers(-1000, 1000), max_size=60),
    bars=st.integers(1, 25),
)
def test_rolling_sums_are_those_of_each_span(values: list[int], bars: int) -> None:
    sums = rolling_sum(np.array(values, dtype=np.float64), bars)

    expected = [sum(values[max(0, i + 1 - bars) : i + 1]) for i in range(len(values))]
    assert sums.tolist() == expected


def test_rolling_sums_keep_nothing_of_a_giant_that_left() -> None:
    values = np.array([1e18] * 5 + [0.1] * 5 + [0.0] * 5)

    sums = rolling_sum(values, 4)

    assert sums[8] == pytest.approx(0.4, rel=1e-15)
    assert (sums[13:] == 0.0).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(flags=st.lists(st.booleans(), max_size=30), bars=st.integers(1, 6))
def test_a_condition_held_if_it_did_at_each_of_the_last_bars(
    flags: list[bool], bars: int
) -> None:
    held = held_for(np.array(flags, dtype=np.bool_), bars)

    expected = [
        i + 1 >= bars and all(flags[i + 1 - bars : i + 1]) for i in range(len(flags))
    ]
    assert held.tolist() == expected
