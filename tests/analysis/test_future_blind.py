"""A result for the bars up to t is the same whatever came after t.

Held against everything in the analysis room that takes bars: `discovery` finds it, so
that a new function is checked without being listed here.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.window import CandleWindow
from tests.analysis.blindness import check_blind
from tests.analysis.discovery import Probe, find_probes
from tests.analysis.feeds import Feed, keep_bars
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import contents, random_walk, window_of

PROBES, STRANGERS = find_probes()
each = pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.name[len("app.") :])
quick = settings(max_examples=8, deadline=None, derandomize=True, database=None)

# Steps of 0 make runs of equal closes and equal highs, where the special cases live.
closes = st.lists(
    st.sampled_from([-0.05, -0.01, 0.0, 0.0, 0.0, 0.01, 0.05]), min_size=2, max_size=90
).map(lambda steps: 100.0 * np.exp(np.cumsum(steps)))


@lru_cache(maxsize=None)
def walk(bars: int, seed: int, present: float = 1.0) -> Feed:
    """A random walk of which each bar but the first is there with this chance."""
    window = random_walk(bars, seed, deviation=0.02)
    if present < 1.0:
        is_there = np.random.default_rng(seed).random(bars) < present
        is_there[0] = True
        window = keep_bars(window, is_there)
    return Feed.of(window)


@lru_cache(maxsize=None)
def pausing(closes_written: bytes) -> Feed:
    return Feed.of(window_of(np.frombuffer(closes_written)))


@lru_cache(maxsize=None)
def recorded(data: Path, name: str, first: int) -> Feed:
    return Feed.of(recorded_bars(data, name)._slice(first, first + 1_100))


def test_every_function_of_bars_can_be_checked() -> None:
    assert not STRANGERS, "give them a shape the check knows:\n" + "\n".join(STRANGERS)


@pytest.mark.parametrize(
    "name",
    [
        "indicators.momentum.Rsi.series",
        "indicators.volatility.BollingerBands.series",
        "service.IndicatorService.batch_calculate",
        "service.IndicatorService.latest",
        "correlation.return_correlation",
        "market_analyzer.MarketAnalyzer.regime",
        "market_analyzer.MarketAnalyzer.get_market_context",
        "market_sentiment.MarketSentiment.score",
        "structure.order_blocks.find_order_blocks",
        "structure.state.structure_state",
        "patterns.recognition.find_patterns",
        "patterns.recognition.patterns_at_last_bar",
        "preparation.resample.resample_ohlcv",
        "preparation.smoothing.smooth",
        "preparation.smoothing.smooth(median)",
    ],
)
def test_what_is_known_to_be_there_is_found(name: str) -> None:
    assert f"app.analysis.{name}" in {probe.name for probe in PROBES}


@each
@quick
@given(seed=st.integers(0, 2**32 - 1), bars=st.integers(2, 260), part=st.floats(0, 1))
def test_walks(probe: Probe, seed: int, bars: int, part: float) -> None:
    check_blind(probe, walk(bars, seed), 1 + int(part * (bars - 1)))


@each
@quick
@given(close=closes, data=st.data())
def test_markets_that_pause(
    probe: Probe, close: np.ndarray, data: st.DataObject
) -> None:
    kept = data.draw(st.integers(1, len(close)))

    check_blind(probe, pausing(close.tobytes()), kept)


@each
@quick
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.3, 0.95), part=st.floats(0, 1))
def test_series_with_missing_bars(
    probe: Probe, seed: int, share: float, part: float
) -> None:
    feed = walk(240, seed, share)

    check_blind(probe, feed, 1 + int(part * (len(feed.window) - 1)))


@each
def test_every_prefix_of_a_short_series(probe: Probe) -> None:
    for kept in range(1, 27):
        check_blind(probe, walk(26, seed=5), kept)


@each
@pytest.mark.parametrize(("name", "first"), [("BTCUSDT-1h", 3_100), ("ETHUSDT-1m", 0)])
def test_recorded_series(
    probe: Probe, shared_data: Path, name: str, first: int
) -> None:
    for kept in (700, 1_050):
        check_blind(probe, recorded(shared_data, name, first), kept)


@each
def test_bars_are_left_untouched(probe: Probe) -> None:
    feed = walk(400, seed=3)
    before = [contents(window) for window in _windows(feed)]

    probe(feed)

    assert [contents(window) for window in _windows(feed)] == before


@each
def test_asked_twice_the_answer_is_the_same(probe: Probe) -> None:
    check_blind(probe, walk(300, seed=8), 300)


def _windows(feed: Feed) -> list[CandleWindow]:
    return [feed.window, feed.benchmark, *feed.higher.values()]
