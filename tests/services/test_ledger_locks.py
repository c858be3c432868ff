"""Writers of overlapping series wait for each other, and never in a circle."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from app.core.database import Database
from app.models.series_lock import lock_cursors
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from tests.services.series import M1, LedgerSeries, bars_at
from tests.services.world import T0, at

_WAITING = sa.text("""
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


def brought(key: int, first: int, end: int) -> SeriesSlice:
    """All bars of slots [first, end), expected from minute 3 on."""
    bars = bars_at(range(first, end))
    return SeriesSlice(
        key, M1, bars, at(first), at(end), True, at(end), expected_from=at(3)
    )


def wait_until_blocked(database: Database) -> None:
    """Return once a transaction waits for a lock."""
    pause = threading.Event()
    for _ in range(500):
        with database.session_scope() as session:
            if session.scalar(_WAITING):
                return
        pause.wait(0.02)
    raise AssertionError("nobody waits for a lock")


def test_series_that_just_go_on_are_not_locked_before_the_others(
    database: Database,
) -> None:
    with database.session_scope() as session:
        both = [LedgerSeries(session, name) for name in ("A/USDT", "B/USDT")]
        for series in both:
            series.answer(0, 3, now=3.1)
        run = both[0].cursor.run_id
        late, steady = sorted(series.key for series in both)

    def store() -> int:
        slices = [brought(late, 5, 8), brought(steady, 3, 8)]
        with database.session_scope() as session:
            return Ledger(run).store(session, slices, at(8.1)).inserted

    with ThreadPoolExecutor(1) as pool:
        with database.session_scope() as session:
            lock_cursors(session, {(late, M1): T0}, run)
            stored = pool.submit(store)
            wait_until_blocked(database)
            # The other writer holds nothing that would come later.
            lock_cursors(session, {(steady, M1): T0}, run)
        assert stored.result(30) == 8


def test_a_series_whose_first_transaction_was_lost_is_begun_again(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        session.commit()
        series.answer(0, 3, now=3.1)
        session.rollback()

        series.answer(0, 3, now=3.2)

        series.check_cover()
        assert series.minutes() == [0, 1, 2]
