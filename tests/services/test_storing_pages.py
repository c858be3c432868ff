"""After each page, bars and gaps cover the grid exactly up to the watermark."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.gap import GapReason, GapStatus
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest, RejectedItem
from app.models import (
    MarketData,
    MarketDataGap,
    MarketDataRevision,
    QuarantinedRow,
    SeriesCursor,
)
from app.services.collection.planning import SeriesTask
from app.services.collection.storing import FetchedPage, PageStore, StoredPages
from tests.models.factories import add_market, add_run
from tests.services.world import T0, at

M1 = Timeframe.M1
GRACE = 300.0


class Series:
    """One series of a stored market, and the pages stored for it."""

    def __init__(self, session: Session, symbol: str = "BTC/USDT") -> None:
        self.session = session
        run = add_run(session)
        self.key = add_market(session, run, symbol).id
        self.store = PageStore("replay", run, GRACE)

    def page(
        self,
        minutes: Sequence[int],
        now: float,
        since: int = 0,
        price: float = 100.0,
        rejected: tuple[RejectedItem, ...] = (),
    ) -> StoredPages:
        """Store the reply to a request from `since` on, asked at minute `now`."""
        first = round(T0.timestamp() * 1000)
        page = CandlePage(
            symbol="BTC/USDT",
            timeframe=M1,
            since=at(since),
            covered_until=M1.floor(at(now)),
            server_now=at(now),
            open_ms=np.array([first + m * 60_000 for m in minutes], dtype="i8"),
            values=np.full((len(minutes), 5), price),
            rejected=rejected,
        )
        request = CandleRequest("BTC/USDT", M1, at(since), 1000)
        item = FetchedPage(SeriesTask(self.key, request, at(since)), page)
        stored = self.store.store(self.session, [item], at(now))
        self.session.flush()
        return stored

    def gaps(self) -> list[tuple[int, int]]:
        """Missing slots as (first minute, minute after the last)."""
        found = MarketDataGap.get_for_series(self.session, self.key, M1)
        return [(_minute(g.starts_at), _minute(g.ends_at)) for g in found]

    def minutes(self) -> list[int]:
        rows = MarketData.get_range(self.session, self.key, M1, T0, at(1e5))
        return [_minute(row.timestamp) for row in rows]

    @property
    def cursor(self) -> SeriesCursor:
        cursor = SeriesCursor.find(self.session, self.key, M1)
        assert cursor is not None
        return cursor


def _minute(moment: datetime) -> int:
    return round((moment - T0) / timedelta(minutes=1))


def test_a_page_stored_twice_changes_nothing(database: Database) -> None:
    with database.session_scope() as session:
        series = Series(session)
        first = series.page([0, 1, 3], now=4.1)
        again = series.page([0, 1, 3], now=4.2)

        assert (first.inserted, first.gap_slots) == (3, 1)
        assert (again.inserted, again.revised, again.gap_slots) == (0, 0, 0)
        assert again.unchanged == 3 and again.filled_slots == 0
        assert series.minutes() == [0, 1, 3] and series.gaps() == [(2, 3)]


def test_a_hole_is_a_gap_at_once_and_filled_when_its_bar_comes(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = Series(session)
        series.page([0, 3], now=4.1)
        assert series.gaps() == [(1, 3)]

        late = series.page([1, 2], now=9, since=1)

        assert late.filled_slots == 2 and series.gaps() == []
        (filled,) = session.scalars(select(MarketDataGap))
        assert filled.status is GapStatus.FILLED and filled.resolved_at == at(9)


def test_a_gap_filled_in_part_is_cut(database: Database) -> None:
    with database.session_scope() as session:
        series = Series(session)
        series.page([0, 9], now=10.1)

        series.page([4, 5], now=11, since=1)

        assert series.gaps() == [(1, 4), (6, 9)]
        rows = session.scalars(select(MarketDataGap)).all()
        assert sorted(row.slots for row in rows) == [2, 3, 3]
        assert {row.detected_at for row in rows} == {at(10.1)}


def test_a_corrected_bar_keeps_the_value_it_replaced(database: Database) -> None:
    with database.session_scope() as session:
        series = Series(session)
        series.page([0, 1], now=2.1)

        assert series.page([1, 2], now=3.1, since=1, price=101.0).revised == 1

        old = session.scalars(select(MarketDataRevision)).one()
        assert old.close == 100.0
        assert (old.known_from, old.known_to) == (at(2.1), at(3.1))
        bars = MarketData.get_range(session, series.key, M1, T0, at(9))
        assert [bar.close for bar in bars] == [100.0, 101.0, 101.0]


def test_a_rejected_row_is_quarantined_once_and_its_slot_is_a_gap(
    database: Database,
) -> None:
    bad = RejectedItem("BTC/USDT", "candle", "prices", "[1, -1]", timeframe=M1)
    with database.session_scope() as session:
        series = Series(session)
        first = series.page([0, 2], now=3.1, rejected=(bad,))
        again = series.page([0, 2], now=3.2, rejected=(bad,))

        assert (first.quarantined, again.quarantined) == (1, 0)
        (kept,) = session.scalars(select(QuarantinedRow))
        assert kept.raw == "[1, -1]" and kept.timeframe is M1
        (gap,) = session.scalars(select(MarketDataGap))
        assert gap.reason is GapReason.QUARANTINED and gap.starts_at == at(1)


def test_a_missing_newest_bar_waits_for_its_grace(database: Database) -> None:
    with database.session_scope() as session:
        series = Series(session)
        series.page([0, 1], now=3.1)
        assert series.gaps() == [] and series.cursor.watermark_at == at(2)

        series.page([], now=7.9, since=2)
        assert series.gaps() == [], "slot 2 closed at 3: four minutes 54 seconds late"

        series.page([], now=8, since=2)
        assert series.gaps() == [(2, 3)] and series.cursor.watermark_at == at(3)


def test_a_halt_is_one_gap_that_grows(database: Database) -> None:
    with database.session_scope() as session:
        series = Series(session)
        series.page([0, 1], now=3.1)

        for now in (8, 9, 10):
            series.page([0, 1], now=now)

        assert series.gaps() == [(2, 5)]
        (gap,) = session.scalars(select(MarketDataGap)).all()
        assert gap.slots == 3 and gap.detected_at == at(8)


def test_slots_before_the_first_bar_were_not_listed(database: Database) -> None:
    with database.session_scope() as session:
        series = Series(session)
        series.page([5, 6, 8], now=9.1)

        found = MarketDataGap.get_for_series(session, series.key, M1)
        assert [gap.reason for gap in found] == [
            GapReason.NOT_LISTED,
            GapReason.UNKNOWN,
        ]
        assert series.cursor.first_bar_at == at(5)
        assert series.cursor.last_bar_at == at(8)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),  # the clock moves on by
            st.integers(0, 6),  # bars asked for before the watermark
            st.sets(st.integers(0, 60), max_size=20),  # minutes the reply leaves out
        ),
        min_size=1,
        max_size=8,
    )
)
def test_bars_and_gaps_cover_the_grid_exactly(
    database: Database, replies: list[tuple[int, int, set[int]]]
) -> None:
    with database.session_scope() as session:
        # Examples share one database: each gets a market of its own.
        series = Series(session, f"{uuid.uuid4().hex}/USDT")
        now, served = 0, set[int]()
        for passed, back, lost in replies:
            now += passed
            known = SeriesCursor.find(session, series.key, M1)
            since = _minute(known.watermark_at) if known else 0
            since = max(0, since - back)
            minutes = [m for m in range(since, now) if m not in lost]
            served |= set(minutes)
            series.page(minutes, now + 0.1, since)
            _check_cover(series)
        assert set(series.minutes()) == served, "nothing lost, nothing invented"


def _check_cover(series: Series) -> None:
    covered = list(series.minutes())
    for first, end in series.gaps():
        covered += range(first, end)
    watermark = _minute(series.cursor.watermark_at)
    assert sorted(covered) == list(range(watermark)), "disjoint, and complete"
