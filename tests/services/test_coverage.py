"""Every slot is accounted for, and where the ledger is wrong it is found out."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.gap import GapReason, GapStatus
from app.domain.timeframe import Timeframe
from app.models import MarketDataGap, SeriesCursor
from app.models.ingest import store_bars
from app.services.coverage import Coverage, read_coverage
from app.services.coverage_check import Disagreement, verify_coverage
from tests.models.factories import add_market, add_run, make_bars, make_gap
from tests.services.series import LedgerSeries
from tests.services.world import T0, at

M1 = Timeframe.M1


def test_slots_are_bars_gaps_and_a_pending_tail(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 60, 60, without=[5, 6, 30], refused=[40])
        report = read_coverage(session, at(63.5))
        (one,) = report.series
        found = one.coverage
        assert verify_coverage(session) == []
    assert (found.slots, found.bars, found.missing, found.pending) == (63, 56, 4, 3)
    assert found.unaccounted == 0 and found.accounted_percent == 100.0
    assert found.missing_by(GapStatus.OPEN) == 4
    by_reason = {gap.reason: gap.slots for gap in found.gaps}
    assert by_reason == {GapReason.UNKNOWN: 3, GapReason.QUARANTINED: 1}
    assert found.unknown_share == 3 / 63
    assert report.totals == {("replay", M1): found} and report.total == found


def test_a_series_that_ended_expects_nothing_later(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        series.cursor.closed_at, series.cursor.close_reason = at(12), "delisted"
        session.flush()
        found = read_coverage(session, at(1000)).total
    assert (found.slots, found.bars, found.pending) == (12, 10, 2)


def test_corrections_are_told_per_bar(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, 10)
        series.answer(0, 4, 20, price=101.0)
        series.answer(0, 1, 30, price=102.0)
        assert read_coverage(session, at(10)).total.revision_rate == 0.5
        (row,) = session.execute(sa.text("TABLE revision_rates")).all()
    # Five corrections of four bars: the share counts a bar once.
    assert row == ("replay", "1m", 10, 4, 5, 0.4)


def test_percent_is_100_only_if_exact() -> None:
    assert Coverage(slots=10_000_000, bars=9_999_999).accounted_percent == 99.999
    assert Coverage(slots=10_000_000, bars=10_000_001).accounted_percent == 99.999
    assert Coverage(slots=3, bars=2, pending=1).accounted_percent == 100.0
    assert Coverage().accounted_percent == 100.0


def test_only_what_is_asked_for_is_reported(database: Database) -> None:
    with database.session_scope() as session:
        for symbol in ("BTC/USDT", "ETH/USDT"):
            LedgerSeries(session, symbol).answer(0, 5, 5)
        assert read_coverage(session, at(5)).total.bars == 10
        assert read_coverage(session, at(5), symbol="ETH/USDT").total.bars == 5
        assert read_coverage(session, at(5), exchange="kraken").series == ()


def test_random_answers_leave_nothing_unaccounted(database: Database) -> None:
    for seed in range(6):
        dice = random.Random(seed)
        with database.session_scope() as session:
            series = LedgerSeries(session, f"C{seed}/USDT")
            now = 0
            for _ in range(12):
                first = max(0, now - dice.randrange(30))
                now += dice.randrange(1, 40)
                holes = [m for m in range(first, now) if dice.random() < 0.2]
                refused = [m for m in holes if dice.random() < 0.3]
                series.answer(
                    first, now, now, holes, dice.choice([100.0, 101.0]), refused
                )
            report = read_coverage(session, at(now), symbol=f"C{seed}/USDT")
            assert report.total.accounted_percent == 100.0, seed
            assert verify_coverage(session) == [], seed


@pytest.mark.parametrize("timeframe", [Timeframe.W1, Timeframe.MN1, Timeframe.M3])
def test_calendar_frames_are_counted_by_the_calendar(
    database: Database, timeframe: Timeframe
) -> None:
    start = timeframe.ceil(T0 + timedelta(days=5))
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        opens = [timeframe.shift(start, n) for n in range(6)]
        for open_at in opens[:2] + opens[4:]:
            store_bars(session, [make_bars(key, 1, open_at, timeframe=timeframe)], T0)
        session.add_all(
            [
                SeriesCursor(
                    cryptocurrency_id=key,
                    timeframe=timeframe,
                    history_from=start,
                    watermark_at=timeframe.shift(start, 6),
                    bars=4,
                    run_id=run,
                ),
                _gap(key, run, timeframe, opens[2], opens[4], 2),
            ]
        )
        session.flush()
        assert verify_coverage(session) == []
        now = timeframe.shift(start, 8)
        found = read_coverage(session, now).total
        assert (found.slots, found.pending, found.unaccounted) == (8, 2, 0)
        session.execute(sa.text("UPDATE market_data_gaps SET slots = 3"))
        kinds = {fault.kind for fault in verify_coverage(session)}
        assert kinds == {Disagreement.GAP_MISCOUNTED}


def store_in_hole(session: Session, series: LedgerSeries) -> None:
    store_bars(session, [make_bars(series.key, 1, at(6))], T0)
    # Even where a missing bar makes up for it in all sums.
    session.execute(
        sa.text("DELETE FROM market_data WHERE timestamp = :at"), {"at": T0}
    )


TAMPERING: dict[Disagreement, str | Callable[[Session, LedgerSeries], None]] = {
    Disagreement.BAR_COUNT: "UPDATE series_cursors SET bars = bars + 1",
    Disagreement.REVISION_COUNT: "UPDATE series_cursors SET revisions = 2",
    Disagreement.UNCOVERED: "DELETE FROM market_data_gaps WHERE starts_at = :hole",
    Disagreement.MISSING_TWICE: """
        INSERT INTO market_data_gaps (cryptocurrency_id, timeframe, starts_at, ends_at,
            slots, status, reason, detected_at, run_id)
        SELECT cryptocurrency_id, timeframe, starts_at + interval '1 min', ends_at,
            slots - 1, status, reason, detected_at, run_id
        FROM market_data_gaps WHERE starts_at = :hole""",
    Disagreement.GAP_MISCOUNTED: "UPDATE market_data_gaps SET slots = slots + 1",
    Disagreement.GAP_OUTSIDE_HISTORY: """
        UPDATE series_cursors SET watermark_at = :hole""",
    Disagreement.OUTSIDE_HISTORY: "UPDATE series_cursors SET history_from = :hole",
    Disagreement.OFF_GRID: """
        UPDATE market_data SET timestamp = timestamp + interval '1 s'
        WHERE timestamp = :first""",
    Disagreement.STORED_AND_MISSING: store_in_hole,
    Disagreement.WITHOUT_CURSOR: "DELETE FROM series_cursors",
}


@pytest.mark.parametrize("kind", Disagreement)
def test_each_kind_of_disagreement_is_found(
    database: Database, kind: Disagreement
) -> None:
    tamper = TAMPERING[kind]
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 60, 60, without=[5, 6, 7])
        assert verify_coverage(session) == []
        if callable(tamper):
            tamper(session, series)
        else:
            session.execute(sa.text(tamper), {"hole": at(5), "first": at(0)})
        faults = {fault.kind: fault for fault in verify_coverage(session)}
        assert kind in faults
        if kind is Disagreement.UNCOVERED:
            where = (faults[kind].slots, faults[kind].starts_at, faults[kind].ends_at)
            assert where == (3, at(5), at(8))


def _gap(
    key: int,
    run: uuid.UUID,
    timeframe: Timeframe,
    starts_at: datetime,
    ends_at: datetime,
    slots: int,
) -> MarketDataGap:
    gap = make_gap(key, run, starts_at)
    gap.timeframe, gap.ends_at, gap.slots = timeframe, ends_at, slots
    return gap
