"""Order book summaries and sentiment scores, worked out by hand."""

from __future__ import annotations

import gzip
import math
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.breadth import BreadthReading
from app.analysis.market_sentiment import WEIGHTS, MarketSentiment, SentimentReading
from app.analysis.order_book import summarize_book
from app.analysis.sentiment.derivatives import (
    Derivatives,
    funding_tilt,
    interest_tilt,
)
from app.analysis.sentiment.price_and_volume import (
    accumulation,
    momentum,
    range_position,
    volume_pressure,
)
from app.analysis.sentiment.taker_flow import TakerFlow, summarize_trades
from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.market import BookLevel, OrderBook, PublicTrade
from app.domain.timeframe import Timeframe
from tests.analysis.windows import FIRST_OPEN, random_walk, window_of

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


def bars_of(*bars: tuple[float, float, float, float, float]) -> CandleWindow:
    """Bars of (open, high, low, close, volume)."""
    times = FIRST_OPEN + np.arange(len(bars)) * np.timedelta64(5, "m")
    return CandleWindow("A", Timeframe.M5, times, *np.array(bars).T)


def test_momentum_is_the_return_in_random_walk_deviations() -> None:
    # Log returns 1 1 -1: sum 1, root of squares sqrt(3).
    window = window_of(np.exp([0.0, 1.0, 2.0, 1.0]))

    assert momentum(window, 3) == pytest.approx(math.tanh(1 / math.sqrt(3)))
    assert momentum(window, 4) is None


def test_volume_pressure_is_the_rising_share_less_the_falling() -> None:
    # Bars: still, up 3, down 1, up 2, still 4.
    window = window_of(
        [100.0, 101.0, 100.0, 102.0, 102.0], volume=np.array([9.0, 3, 1, 2, 4])
    )

    assert volume_pressure(window, 4) == pytest.approx((3 - 1 + 2) / 10)
    assert volume_pressure(window, 6) is None


def test_range_position_is_where_the_close_lies() -> None:
    window = bars_of((90, 500, 1, 90, 1), (90, 110, 88, 100, 1), (100, 104, 90, 93, 1))

    # From 88 to 110, 93 lies at 5 of 22.
    assert range_position(window, 2) == pytest.approx(2 * 5 / 22 - 1)
    assert range_position(window, 4) is None


def test_accumulation_weighs_volume_by_the_place_of_the_close() -> None:
    # Closes at the high, at the low, at a quarter, and without a range.
    window = bars_of(
        (100, 110, 100, 110, 4), (110, 110, 90, 90, 1), (90, 98, 90, 92, 2),
        (92, 92, 92, 92, 3),
    )  # fmt: skip

    assert accumulation(window, 4) == pytest.approx((4 - 1 - 0.5 * 2) / 10)
    assert accumulation(window, 5) is None


def trade(side: str | None, amount: float) -> PublicTrade:
    at = datetime(2025, 1, 6, tzinfo=timezone.utc)
    return PublicTrade(None, at, 100.0, amount, side)


def test_taker_flow_counts_known_sides() -> None:
    flow = summarize_trades([trade("buy", 3.0), trade("sell", 1.0), trade(None, 9.0)])

    assert flow == TakerFlow(bought=3.0, sold=1.0)
    assert flow.buy_share == 0.75 and flow.pressure == 0.5
    assert summarize_trades([]).pressure is None
    with pytest.raises(BadData, match="sold is -1.0, must be finite and at least 0"):
        TakerFlow(1.0, -1.0)
    with pytest.raises(BadData, match="bought is nan"):
        TakerFlow(math.nan, 1.0)


def test_taker_flow_of_recorded_minutes_follows_their_direction(
    shared_data: Path,
) -> None:
    path = shared_data / "candles" / "binance" / "BTCUSDT-1m.csv.gz"
    with gzip.open(path) as file:
        frame = pd.read_csv(file)
    sold = frame["volume"] - frame["taker_base_volume"]
    pressure = [
        TakerFlow(bought, max(sold, 0.0)).pressure
        for bought, sold in zip(frame["taker_base_volume"], sold, strict=True)
    ]

    assert all(value is not None and -1 <= value <= 1 for value in pressure)
    returns = frame["close"] / frame["open"] - 1
    assert np.corrcoef(pressure, returns)[0, 1] > 0.4


def test_funding_leans_to_the_side_that_pays() -> None:
    neutral, crowded = Derivatives(0.0001), Derivatives(0.0006)

    assert funding_tilt(neutral) == 0.0
    assert funding_tilt(crowded) == pytest.approx(math.tanh(1.0))
    assert funding_tilt(Derivatives(-0.0004)) == pytest.approx(-math.tanh(1.0))
    hourly = Derivatives(0.0006 / 8, funding_hours=1.0)
    assert funding_tilt(hourly) == pytest.approx(math.tanh(1.0))
    assert funding_tilt(Derivatives()) is None


@pytest.mark.parametrize(
    ("move", "change", "sign"), [(0.5, 0.1, 1), (-0.5, 0.1, -1), (0.5, -0.1, -1)]
)
def test_new_positions_confirm_a_move_and_closed_ones_do_not(
    move: float, change: float, sign: int
) -> None:
    tilt = interest_tilt(Derivatives(interest_change=change), move)

    assert tilt == pytest.approx(sign * 0.5 * math.tanh(2.0))
    assert interest_tilt(Derivatives(interest_change=change), None) is None
    assert interest_tilt(Derivatives(), move) is None


def test_figures_that_are_none_are_refused() -> None:
    with pytest.raises(BadData, match="funding_rate is nan, must be finite"):
        Derivatives(math.nan)
    with pytest.raises(BadData, match="interest_change is inf"):
        Derivatives(interest_change=math.inf)
    with pytest.raises(BadData, match="funding_hours is 0, must be above 0"):
        Derivatives(0.1, funding_hours=0)


ADVANCING = BreadthReading(4, 0, 3, 1, 0, 4, 4, 0, 0, 0)  # 1 and 0.5: score 0.75


def test_the_score_is_the_weighted_mean_of_its_parts() -> None:
    window = random_walk(60, seed=1)
    summary = summarize_book(book([(99.9, 3.0)], [(100.1, 1.0)]))
    swap = Derivatives(0.0006, interest_change=0.05)

    reading = MarketSentiment().score(
        window, summary, flow=TakerFlow(3, 1), breadth=ADVANCING, derivatives=swap
    )

    push = momentum(window)
    assert summary is not None and push is not None
    expected = {
        "momentum": push,
        "range_position": range_position(window),
        "volume": volume_pressure(window),
        "accumulation": accumulation(window),
        "order_book": summary.imbalance,
        "taker_flow": 0.5,
        "breadth": 0.75,
        "funding": math.tanh(1.0),
        "open_interest": push * math.tanh(1.0),
    }
    assert reading.parts == pytest.approx(expected)
    assert reading.weight == pytest.approx(1.0)
    weights = [0.25, 0.1, 0.1, 0.1, 0.15, 0.1, 0.1, 0.05, 0.05]
    assert list(WEIGHTS.values()) == weights and sum(weights) == pytest.approx(1.0)
    assert reading.score == pytest.approx(np.dot(weights, list(expected.values())))


def test_unknown_parts_leave_their_weight_to_the_others() -> None:
    window = random_walk(20, seed=1)

    reading = MarketSentiment().score(window, flow=TakerFlow(1, 0))

    assert reading.range_position is reading.order_book is reading.funding is None
    push, volume, place = reading.momentum, reading.volume, reading.accumulation
    assert push is not None and volume is not None and place is not None
    assert reading.weight == pytest.approx(0.55)
    total = 0.25 * push + 0.1 * volume + 0.1 * place + 0.1 * 1.0
    assert reading.score == pytest.approx(total / 0.55)


def test_too_few_bars_and_nothing_else_are_no_score() -> None:
    sentiment = MarketSentiment(momentum_bars=12, volume_bars=20, range_bars=50)

    assert sentiment.score(random_walk(12, seed=1)) == SentimentReading()
    assert sentiment.score(random_walk(1, seed=1)._slice(0, 0)) == SentimentReading()
    assert sentiment.bars_needed == 50
    assert sentiment.score(random_walk(50, seed=1)).weight == pytest.approx(0.55)


def test_bars_before_the_needed_ones_do_not_count() -> None:
    window, sentiment = random_walk(300, seed=2), MarketSentiment()

    assert sentiment.score(window) == sentiment.score(window.last(50))


@pytest.mark.parametrize("price", [1e-10, 0.1, 1e12])
def test_a_market_that_stands_still_leans_nowhere(price: float) -> None:
    reading = MarketSentiment().score(window_of([price] * 60, volume=0.0))

    assert set(reading.parts.values()) == {0.0, None}
    assert reading.score == 0.0


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    deviation=st.sampled_from([1e-9, 0.01, 2.0]),
    start=st.sampled_from([1e-10, 1.0, 1e12]),
    amounts=st.none() | st.tuples(st.floats(0, 1e12), st.floats(0, 1e12)),
    rate=st.none() | st.floats(-1e300, 1e300),
)
def test_scores_and_parts_stay_within_one(
    seed: int,
    deviation: float,
    start: float,
    amounts: tuple[float, float] | None,
    rate: float | None,
) -> None:
    noise = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(noise.normal(0, deviation, 60)))
    window = window_of(close, volume=noise.lognormal(0, 20, 60))
    levels = amounts and book([(99.9, amounts[0])], [(100.1, amounts[1])])

    reading = MarketSentiment().score(
        window,
        levels and summarize_book(levels),
        flow=amounts and TakerFlow(*amounts),
        derivatives=Derivatives(rate, interest_change=rate),
    )

    known = [part for part in reading.parts.values() if part is not None]
    assert all(-1.0 <= part <= 1.0 for part in known)
    assert reading.score is not None and -1.0 <= reading.score <= 1.0
