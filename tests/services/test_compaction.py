"""Indexes that minute-wise storing left loose are rebuilt, once a month is over."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from app.core.database import Database
from app.core.exceptions import WriteConflict
from app.domain.timeframe import Timeframe
from app.models.bar_copy import copy_bars
from app.models.keyed_bars import KeyedBars
from app.models.partitions import ensure_months
from app.services import compaction
from app.services.compaction import MonthSize, compact_month, read_months
from tests.models.factories import T0

SERIES, MINUTES = 60, 400
NEXT_MONTH = Timeframe.MN1.next_open(T0)


def collect_by_the_minute(database: Database) -> None:
    """A bar of every series, minute after minute, as the collector brings them."""
    with database.session_scope() as session:
        ensure_months(session, "market_data", [T0])
        start = int(T0.timestamp()) * 1_000_000
        for minute in range(MINUTES):
            bars = KeyedBars(
                np.arange(1, SERIES + 1, dtype=np.int32),
                np.full(SERIES, start + minute * 60_000_000, np.int64),
                np.ones((5, SERIES)),
            )
            copy_bars(session, Timeframe.M1, bars, T0 + timedelta(minutes=minute))


def read(database: Database) -> MonthSize:
    with database.session_scope() as session:
        return next(month for month in read_months(session) if month.bars)


def test_a_loose_index_is_made_tight_and_keeps_every_bar(database: Database) -> None:
    collect_by_the_minute(database)
    loose = read(database)
    assert loose.bars == SERIES * MINUTES and loose.is_loose

    compact_month(database, loose)

    tight = read(database)
    assert not tight.is_loose and tight.index_bytes < 0.9 * loose.index_bytes
    with database.session_scope() as session:
        session.execute(sa.text("SET LOCAL enable_seqscan TO off"))
        count = sa.text("SELECT count(*) FROM market_data WHERE cryptocurrency_id > 0")
        assert session.scalar(count) == SERIES * MINUTES


def test_a_month_is_over_when_no_bar_opens_in_it_any_more() -> None:
    month = MonthSize(f"market_data_{T0:%Y_%m}", 1, 1, 1)
    assert not month.is_over(NEXT_MONTH - timedelta(microseconds=1))
    assert month.is_over(NEXT_MONTH)


def test_what_an_interrupted_rebuild_left_is_cleared_away(database: Database) -> None:
    collect_by_the_minute(database)
    month = read(database)
    name = f"{month.name}_pkey_ccnew"
    with database.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        # Fails on equal prices and leaves an index behind that is not valid.
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql(
                f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {month.name} (open)"
            )

    compact_month(database, month)

    with database.session_scope() as session:
        assert (
            session.scalar(sa.text("SELECT to_regclass(:name)"), {"name": name}) is None
        )


def test_two_do_not_compact_at_once(database: Database) -> None:
    collect_by_the_minute(database)
    month = read(database)
    with database.session_scope() as session:
        lock = sa.text("SELECT pg_advisory_lock(:key)")
        session.execute(lock, {"key": compaction._LOCK_KEY})
        with pytest.raises(WriteConflict, match="another session"):
            compact_month(database, month)
