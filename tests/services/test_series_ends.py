"""A market that is gone keeps its data, and its series expects nothing more."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.database import Database
from app.domain.gap import GapReason, GapStatus
from app.domain.market_event import MarketEventKind
from app.domain.timeframe import Timeframe
from app.models import MarketDataGap, MarketEvent
from app.services.coverage import read_coverage
from app.services.coverage_check import verify_coverage
from app.services.series_ends import close_series, reopen_series
from tests.services.series import LedgerSeries
from tests.services.world import at

ABSENT = GapStatus.CONFIRMED_ABSENT


def tell(series: LedgerSeries, kind: MarketEventKind, minute: float) -> None:
    """The market's event, known at `minute`."""
    series.session.add(
        MarketEvent(
            exchange="replay",
            cryptocurrency_id=series.key,
            kind=kind,
            known_at=at(minute),
            run_id=series.cursor.run_id,
        )
    )
    series.session.flush()


def told(series: LedgerSeries) -> list[tuple[int, int, GapReason, GapStatus]]:
    """Each gap: its minutes, reason and status."""
    return [
        (*span, gap.reason, gap.status)
        for span, gap in zip(series.spans(), series.gaps(), strict=True)
    ]


def test_what_nobody_answered_for_is_a_gap_and_nothing_stays_pending(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        run = series.cursor.run_id
        assert close_series(session, [series.key], "delisted", at(14.5), run) == 1
        session.flush()
        found = read_coverage(session, at(500)).total
        assert (found.slots, found.bars, found.missing, found.pending) == (15, 10, 5, 0)
        assert (series.cursor.closed_at, series.cursor.close_reason) == (
            at(15),
            "delisted",
        )
        (gap,) = MarketDataGap.get_for_series(session, series.key, Timeframe.M1)
        assert (gap.reason, gap.status) == (GapReason.UNKNOWN, ABSENT)
        assert gap.resolved_at == at(14.5)
        assert close_series(session, [series.key], "delisted", at(99), run) == 0
        assert verify_coverage(session) == []


def test_the_slots_of_a_known_halt_are_maintenance_at_the_end(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        tell(series, MarketEventKind.HALTED, 11.5)
        tell(series, MarketEventKind.RESUMED, 13.5)
        tell(series, MarketEventKind.HALTED, 16)
        tell(series, MarketEventKind.DELISTED, 20.5)
        close_series(session, [series.key], "delisted", at(20.5), series.cursor.run_id)
        session.flush()
        assert told(series) == [
            (10, 12, GapReason.UNKNOWN, ABSENT),
            (12, 14, GapReason.MAINTENANCE, ABSENT),
            (14, 16, GapReason.UNKNOWN, ABSENT),
            (16, 21, GapReason.MAINTENANCE, ABSENT),
        ]
        series.check_cover()
        assert verify_coverage(session) == []


def test_gaps_that_were_open_stay_so_and_tell_of_a_known_halt(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 20, 20, without=[*range(3, 5), *range(10, 15)])
        tell(series, MarketEventKind.HALTED, 11.5)
        tell(series, MarketEventKind.RESUMED, 13.5)
        tell(series, MarketEventKind.DELISTED, 20)
        close_series(session, [series.key], "delisted", at(20), series.cursor.run_id)
        session.flush()
        assert told(series) == [
            (3, 5, GapReason.UNKNOWN, GapStatus.OPEN),
            (10, 12, GapReason.UNKNOWN, GapStatus.OPEN),
            (12, 14, GapReason.MAINTENANCE, GapStatus.OPEN),
            (14, 15, GapReason.UNKNOWN, GapStatus.OPEN),
        ]
        assert [gap.confirmations for gap in series.gaps()] == [1, 1, 1, 1]
        series.check_cover()
        assert verify_coverage(session) == []


def test_a_confirmed_absence_during_a_halt_is_maintenance(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        tell(series, MarketEventKind.HALTED, 9.5)
        tell(series, MarketEventKind.RESUMED, 19.5)
        for now in (40, 110, 180):
            series.answer(9, 40, now, without=[*range(10, 20), 30])
        assert told(series) == [
            (10, 20, GapReason.MAINTENANCE, ABSENT),
            (30, 31, GapReason.UNKNOWN, ABSENT),
        ]


def test_what_was_given_up_is_asked_for_once_the_market_is_back(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        run = series.cursor.run_id
        close_series(session, [series.key], "delisted", at(12), run)
        session.flush()
        reopen_series(session, [series.key], at(30.5), run)
        session.flush()
        assert told(series) == [
            (10, 12, GapReason.UNKNOWN, GapStatus.OPEN),
            (12, 30, GapReason.NOT_LISTED, GapStatus.OPEN),
        ]
        series.check_cover()


def test_bars_that_come_after_the_end_fill_its_gap(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        close_series(session, [series.key], "delisted", at(14.5), series.cursor.run_id)
        session.flush()
        series.answer(8, 13, 14)  # was under way, or comes from an archive
        found = read_coverage(session, at(500)).total
        assert (found.bars, found.missing, found.unaccounted) == (13, 2, 0)
        assert series.cursor.closed_at == at(15)
        assert verify_coverage(session) == []


def test_a_market_that_is_back_goes_on(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        run = series.cursor.run_id
        close_series(session, [series.key], "delisted", at(12), run)
        session.flush()
        assert reopen_series(session, [series.key], at(30.5), run) == 1
        session.flush()
        series.answer(30, 40, 40)
        found = read_coverage(session, at(40)).total
        assert (found.slots, found.bars, found.missing, found.pending) == (
            40,
            20,
            20,
            0,
        )
        assert verify_coverage(session) == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["answer", "close", "reopen"]), st.integers(1, 90)),
    max_size=8,
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_ends_and_returns_leave_no_slot_unaccounted(
    database: Database, steps: list[tuple[str, int]]
) -> None:
    with database.session_scope() as session:
        session.execute(sa.text("TRUNCATE market_data, cryptocurrencies CASCADE"))
        series = LedgerSeries(session)
        series.answer(0, 5, 5)
        now = at(5)
        for what, minutes in steps:
            before, now = now, now + timedelta(minutes=minutes, seconds=minutes % 60)
            run = series.cursor.run_id
            if what == "close":
                close_series(session, [series.key], "delisted", now, run)
            elif what == "reopen":
                reopen_series(session, [series.key], now, run)
            elif series.cursor.closed_at is None:
                first, last = (
                    (t - at(0)) // timedelta(minutes=1) for t in (before, now)
                )
                series.answer(first, last, last, without=[first])
            session.flush()
            total = read_coverage(session, now).total
            assert total.unaccounted == 0 and total.accounted_percent == 100.0
        assert verify_coverage(session) == []
