"""A page settles exactly the slots that it speaks of."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np

from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage
from app.services.collection.accounting import account_for

START = datetime(2025, 1, 6, tzinfo=timezone.utc)


def page(minutes: list[int], covered: int, server_minute: float) -> CandlePage:
    """A 1m page that starts at START and holds bars at these minutes."""
    first = int(START.timestamp() * 1000)
    return CandlePage(
        symbol="BTC/USDT",
        timeframe=Timeframe.M1,
        since=START,
        covered_until=START + timedelta(minutes=covered),
        server_now=START + timedelta(minutes=server_minute),
        open_ms=np.array([first + minute * 60_000 for minute in minutes], dtype="i8"),
        values=np.ones((len(minutes), 5)),
    )


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def test_slots_before_the_newest_bar_are_settled_at_once() -> None:
    assert account_for(page([0, 1, 4], 5, 5.1), START, 1000, 300.0) == minute(5)


def test_a_bar_missing_at_the_end_may_only_be_late() -> None:
    assert account_for(page([0, 1], 5, 5.1), START, 1000, 300.0) == minute(2)


def test_a_bar_late_beyond_the_grace_is_missing() -> None:
    assert account_for(page([0, 1], 10, 10.1), START, 1000, 300.0) == minute(5)


def test_an_empty_page_right_after_the_close_settles_nothing() -> None:
    assert account_for(page([], 1, 1.1), START, 1000, 300.0) == START


def test_a_page_of_known_bars_leaves_the_watermark() -> None:
    assert account_for(page([0, 1, 2], 3, 3.1), minute(3), 1000, 300.0) == minute(3)


def test_a_halted_market_that_repeats_its_last_bars_is_missing_the_rest() -> None:
    settled = account_for(page([0, 1], 2, 60.1), minute(2), 1000, 300.0)

    assert settled == minute(55)


def test_known_bars_answer_for_no_more_slots_than_were_asked_for() -> None:
    assert account_for(page([0, 1], 2, 60.1), minute(2), 10, 300.0) == minute(10)
