"""Stretches of history, stored in any order, leave no slot unaccounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.gap import GapReason
from app.domain.market import Market, MarketStatus
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage
from app.models import Cryptocurrency, MarketData, MarketDataGap, SeriesCursor
from app.services.backfill import exchange_walk
from app.services.market_history import (
    store_history,
    stretch_to_store,
    windows_to_store,
)
from tests.models.factories import add_run

H1 = Timeframe.H1
START = datetime(2025, 1, 1, tzinfo=timezone.utc)
NOW = START + timedelta(days=30)
BTC = Market("replay", "BTC/USDT", "BTCUSDT", "BTC", "USDT", MarketStatus.TRADING)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def page(first: int, end: int, without: Collection[int] = ()) -> CandlePage:
    """The bars of hours [first, end), as the exchange would serve them."""
    kept = [number for number in range(first, end) if number not in without]
    return CandlePage(
        symbol=BTC.symbol,
        timeframe=H1,
        since=hour(first),
        covered_until=hour(end),
        server_now=NOW,
        open_ms=np.array([round(hour(n).timestamp() * 1000) for n in kept], "i8"),
        values=np.array([[1.0, 2.0, 0.5, 1.5, n] for n in kept]).reshape(-1, 5),
    )


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_walk, "WINDOW_SLOTS", 4)


def fetch_and_store(
    session: Session, first: int, end: int, without: Collection[int] = ()
) -> Counter[str]:
    """What the script does, window by window; none leaves a hole that is not there."""
    span = stretch_to_store(
        session, BTC.exchange, BTC.symbol, H1, hour(first), hour(end)
    )
    run_id, counts = add_run(session), Counter[str]()
    for part in windows_to_store(session, BTC.exchange, BTC.symbol, H1, span):
        low, high = (H1.count_bars(START, moment) for moment in part)
        told = [page(low, high, without)]
        stored = store_history(session, BTC, told, 300, NOW, run_id)
        for name in ("inserted", "revised", "unchanged", "gap_slots"):
            counts[name] += getattr(stored, name)
        if not without:
            assert session.scalars(select(MarketDataGap)).all() == []
    return counts


def stored_hours(session: Session) -> list[int]:
    bars = session.scalars(select(MarketData.timestamp).order_by(MarketData.timestamp))
    return [H1.count_bars(START, open_at) for open_at in bars]


def test_an_unknown_market_is_registered(database: Database) -> None:
    with database.session_scope() as session:
        assert fetch_and_store(session, 0, 10)["inserted"] == 10
        row = Cryptocurrency.get_by_symbol(session, "replay", "BTC/USDT")
        assert (row.exchange_symbol, row.first_seen_at) == ("BTCUSDT", NOW)
        assert stored_hours(session) == list(range(10))


@pytest.mark.parametrize(
    "stretches",
    [
        [(20, 25), (0, 3), (40, 44)],
        [(0, 3), (40, 44), (20, 25)],
        [(40, 44), (42, 44), (0, 3)],
    ],
)
def test_stretches_apart_are_joined(
    database: Database, stretches: list[tuple[int, int]]
) -> None:
    with database.session_scope() as session:
        for first, end in stretches:
            fetch_and_store(session, first, end)
        cursor = session.scalars(select(SeriesCursor)).one()
        assert stored_hours(session) == list(range(44))
        assert (cursor.history_from, cursor.watermark_at) == (START, hour(44))
        assert (cursor.first_bar_at, cursor.last_bar_at) == (START, hour(43))
        assert session.scalars(select(MarketDataGap)).all() == []


def test_storing_again_changes_nothing(database: Database) -> None:
    with database.session_scope() as session:
        fetch_and_store(session, 0, 10, without=(6, 7))
        again = fetch_and_store(session, 0, 10, without=(6, 7))
        assert again == {"inserted": 0, "revised": 0, "unchanged": 8, "gap_slots": 0}
        assert len(session.scalars(select(MarketDataGap)).all()) == 1


def test_older_slots_without_a_bar_go_to_the_gap_ledger(database: Database) -> None:
    with database.session_scope() as session:
        fetch_and_store(session, 20, 25)
        # Nothing before hour 3: the market was not listed. 7 and 8 are unexplained.
        fetch_and_store(session, 0, 20, without=(0, 1, 2, 7, 8))
        gaps = session.scalars(
            select(MarketDataGap).order_by(MarketDataGap.starts_at)
        ).all()
        assert [(gap.starts_at, gap.slots, gap.reason) for gap in gaps] == [
            (hour(0), 3, GapReason.NOT_LISTED),
            (hour(7), 2, GapReason.UNKNOWN),
        ]


def test_slots_between_two_stretches_are_a_gap(database: Database) -> None:
    with database.session_scope() as session:
        fetch_and_store(session, 20, 25)
        run_id = add_run(session)
        store_history(session, BTC, [page(0, 5)], 300, NOW, run_id)
        (gap,) = session.scalars(select(MarketDataGap))
        assert (gap.starts_at, gap.ends_at) == (hour(5), hour(20))
        assert gap.confirmations == 0, "nobody asked about them"
