"""Order book summaries and sentiment scores, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.market_sentiment import MarketSentiment, SentimentReading
from app.analysis.order_book import summarize_book
from app.domain.market import BookLevel, OrderBook
from tests.analysis.windows import random_walk, window_of

Levels = list[tuple[float, float]]


def book(bids: Levels, asks: Levels) -> OrderBook:
    """A book of (price, amount) levels, best first."""
    sides = (tuple(BookLevel(*level) for level in side) for side in (bids, asks))
    return OrderBook("AAA/USDT", None, *sides)


def test_a_summary_counts_the_depth_within_reach_of_the_mid() -> None:
    # Mid 100; 50 bps reach 99.5 to 100.5, both ends included.
    summary = summarize_book(
        book(
            bids=[(99.9, 2.0), (99.5, 4.0), (99.4, 1000.0)],
            asks=[(100.1, 1.0), (100.5, 1.0), (100.6, 1000.0)],
        )
    )

    assert summary is not None
    assert (summary.best_bid, summary.best_ask, summary.mid) == (99.9, 100.1, 100.0)
    assert summary.spread_bps == pytest.approx(20.0)
    assert summary.bid_depth == pytest.approx(99.9 * 2 + 99.5 * 4)  # 597.8
    assert summary.ask_depth == pytest.approx(100.1 + 100.5)  # 200.6
    assert summary.imbalance == pytest.approx((597.8 - 200.6) / (597.8 + 200.6))


def test_a_spread_wider_than_the_reach_has_no_balance() -> None:
    summary = summarize_book(book([(90.0, 1.0)], [(110.0, 1.0)]))

    assert summary is not None
    assert summary.bid_depth == summary.ask_depth == 0.0
    assert summary.imbalance is None


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([], [(100.0, 1.0)]),
        ([(100.0, 1.0)], []),
        ([(100.2, 1.0)], [(100.1, 1.0)]),
        ([(0.0, 1.0)], [(100.1, 1.0)]),
    ],
    ids=["no bids", "no asks", "crossed", "price of zero"],
)
def test_a_book_without_a_market_has_no_summary(bids: Levels, asks: Levels) -> None:
    assert summarize_book(book(bids, asks)) is None


def test_momentum_is_the_return_in_random_walk_deviations() -> None:
    # Log returns 1 1 -1: sum 1, root of squares sqrt(3).
    window = window_of(np.exp([0.0, 1.0, 2.0, 1.0]))

    reading = MarketSentiment(momentum_bars=3, volume_bars=50).score(window)

    assert reading.momentum == pytest.approx(math.tanh(1 / math.sqrt(3)))
    assert reading.score == pytest.approx(reading.momentum)
    assert reading.volume is reading.order_book is None


def test_volume_pressure_is_the_rising_share_less_the_falling() -> None:
    # Bars: still, up 3, down 1, up 2, still 4.
    window = window_of(
        [100.0, 101.0, 100.0, 102.0, 102.0], volume=np.array([9.0, 3, 1, 2, 4])
    )

    reading = MarketSentiment(momentum_bars=50, volume_bars=4).score(window)

    assert reading.volume == pytest.approx((3 - 1 + 2) / 10)
    assert reading.score == pytest.approx(0.4) and reading.momentum is None


def test_the_score_is_the_weighted_mean_of_its_parts() -> None:
    window = random_walk(40, seed=1)
    summary = summarize_book(book([(99.9, 3.0)], [(100.1, 1.0)]))

    reading = MarketSentiment().score(window, summary)

    assert summary is not None and reading.order_book == summary.imbalance
    assert reading.momentum is not None and reading.volume is not None
    assert reading.order_book is not None
    assert reading.score == pytest.approx(
        0.4 * reading.momentum + 0.3 * reading.volume + 0.3 * reading.order_book
    )


def test_too_few_bars_and_no_book_are_no_score() -> None:
    sentiment = MarketSentiment(momentum_bars=12, volume_bars=20)

    reading = sentiment.score(random_walk(12, seed=1))

    assert reading == SentimentReading(None, None, None, None)
    assert sentiment.bars_needed == 20
    assert sentiment.score(random_walk(20, seed=1)).volume is not None


def test_a_market_that_stands_still_leans_nowhere() -> None:
    reading = MarketSentiment().score(window_of([100.0] * 30, volume=0.0))

    assert reading == SentimentReading(0.0, 0.0, 0.0, None)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    deviation=st.sampled_from([1e-9, 0.01, 2.0]),
    amounts=st.none() | st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)),
)
def test_scores_and_parts_stay_within_one(
    seed: int, deviation: float, amounts: tuple[float, float] | None
) -> None:
    noise = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(noise.normal(0, deviation, 30)))
    window = window_of(close, volume=noise.lognormal(0, 20, 30))
    levels = amounts and book([(99.9, amounts[0])], [(100.1, amounts[1])])

    reading = MarketSentiment().score(window, levels and summarize_book(levels))

    parts = (reading.score, reading.momentum, reading.volume, reading.order_book)
    assert all(part is None or -1.0 <= part <= 1.0 for part in parts)
    assert reading.score is not None
