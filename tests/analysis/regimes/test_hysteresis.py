"""Regimes hold on between their bounds, and forget where a window begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.regimes.detection import read_regime, regime_series
from app.analysis.regimes.latch import held_now, hold_state
from app.analysis.regimes.rules import RegimeRules
from app.domain.regime import Regime
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import random_walk, window_of

RULES = RegimeRules()
flags = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40)


def run_state_machine(decisions: list[tuple[bool, bool]]) -> int:
    """What a machine started at 0 ends in after these (rises, falls)."""
    state = 0
    for rises, falls in decisions:
        state = 1 if rises else -1 if falls else state
    return state


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(decisions=flags, memory=st.integers(1, 12))
def test_a_state_is_that_of_a_machine_run_over_the_memory(
    decisions: list[tuple[bool, bool]], memory: int
) -> None:
    rises, falls = np.array(decisions, dtype=bool).reshape(-1, 2).T

    states = hold_state(rises, falls, memory)

    for bar, state in enumerate(states):
        remembered = decisions[max(0, bar + 1 - memory) : bar + 1]
        assert state == run_state_machine(remembered)
        assert held_now(rises[: bar + 1], falls[: bar + 1], memory) == state
    assert held_now(rises[:0], falls[:0], memory) == 0


def count_changes(regimes: np.ndarray) -> int:
    known = [regime for regime in regimes if regime is not None]
    return sum(now is not before for before, now in zip(known, known[1:]))


def count_flickers(regimes: np.ndarray, bars: int = 3) -> int:
    """Stays of at most `bars` bars."""
    known = [regime for regime in regimes if regime is not None]
    ends = [i for i in range(1, len(known)) if known[i] is not known[i - 1]]
    return sum(later - earlier <= bars for earlier, later in zip(ends, ends[1:]))


@pytest.mark.parametrize("name", ["BTCUSDT-1h", "BTCUSDT-1m", "ETHUSDT-1m"])
def test_regimes_of_recorded_markets_flicker_less(shared_data: Path, name: str) -> None:
    window = recorded_bars(shared_data, name).last(12_000)

    series = regime_series(window)
    unheld = regime_series(
        window,
        RegimeRules(
            trend_ends=25.0, volatile_ends=0.95, slope_decides=0.0, memory_bars=1
        ),
    )

    assert count_changes(series.regime) < 0.8 * count_changes(unheld.regime)
    assert count_flickers(series.regime) < 0.3 * count_flickers(unheld.regime)


@pytest.mark.parametrize("name", ["BTCUSDT-1h", "BTCUSDT-1m"])
def test_the_declared_bars_tell_what_all_history_tells(
    shared_data: Path, name: str
) -> None:
    window = recorded_bars(shared_data, name).last(20_000)

    series = regime_series(window)

    for bars in range(RULES.bars_needed, len(window), 211):
        reading = read_regime(window._slice(0, bars))
        assert reading.regime is series.regime[bars - 1]
        assert reading.instant is series.instant[bars - 1]
        assert reading.adx == pytest.approx(series.adx[bars - 1], rel=1e-6)


def test_a_longer_memory_would_tell_the_same(shared_data: Path) -> None:
    window = recorded_bars(shared_data, "BTCUSDT-1h").last(20_000)
    # The same rules, remembering all history: a state machine run from its start.
    endless = RegimeRules(memory_bars=19_000)

    remembered = regime_series(window).regime
    since_ever = regime_series(window, endless).regime
    known = slice(endless.bars_needed, None)

    assert len(remembered[known]) > 500
    assert (remembered[known] == since_ever[known]).all()


def test_between_its_bounds_a_trend_goes_on() -> None:
    # A long climb, then noise in which the ADX sinks through 25 and 20.
    noise = np.random.default_rng(3).normal(0.0, 0.004, 200)
    steps = np.r_[np.full(700, 0.004), noise]
    window = window_of(100 * np.exp(np.cumsum(steps)), spread=0.001)

    series = regime_series(window)
    in_doubt = 700 + int(np.argmax(series.adx[700:] < 25))
    over = 700 + int(np.argmax(series.adx[700:] < 20))

    trends = {Regime.TRENDING_UP, Regime.TRENDING_DOWN}
    assert in_doubt < over, "the ADX passes between its bounds"
    assert set(series.regime[in_doubt:over]) <= trends
    weak = series.adx[in_doubt:over] < 25
    assert not set(series.instant[in_doubt:over][weak]) & trends
    assert series.regime[over] not in trends


def test_a_memory_without_a_decision_is_off() -> None:
    # Everything lies between the bounds all the time.
    rules = RegimeRules(
        trend_begins=101.0,
        trend_ends=-1.0,
        volatile_begins=1.1,
        volatile_ends=-1.0,
        slope_decides=1e9,
    )

    reading = read_regime(random_walk(rules.bars_needed, seed=1), rules)

    assert reading.regime is Regime.RANGING


def test_bars_needed_are_those_of_the_figures_and_the_memory() -> None:
    assert RegimeRules(memory_bars=1).bars_needed + 99 == RULES.bars_needed
    assert read_regime(random_walk(RULES.bars_needed, 1)).regime is not None
    assert read_regime(random_walk(RULES.bars_needed - 1, 1)).regime is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trend_ends": 26.0}, "trend_ends is 26.0, must be at most 25.0"),
        ({"volatile_ends": 1.0}, "volatile_ends is 1.0, must be at most 0.95"),
        ({"memory_bars": 0}, "memory_bars is 0, must be at least 1"),
        ({"slope_decides": -0.1}, "slope_decides is -0.1, must be at least 0"),
    ],
)
def test_bounds_that_contradict_are_refused(
    values: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        RegimeRules(**values)
