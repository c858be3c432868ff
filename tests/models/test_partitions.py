"""Monthly partitions, ahead of need and on demand."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.core.database import Database
from app.models import MarketData
from app.models.ingest import store_bars
from app.models.partitions import ensure_partitions
from tests.models.factories import T0, make_bars

MONTH = timedelta(days=31)


def test_every_month_touched_gets_one_once(database: Database) -> None:
    end = datetime(2025, 3, 1, tzinfo=timezone.utc)
    with database.session_scope() as session:
        made = ensure_partitions(session, "market_data", T0, end)
        assert ensure_partitions(session, "market_data", T0, end) == []
    names = ["market_data_2025_01", "market_data_2025_02", "market_data_2025_03"]
    assert made == names


def test_bounds_are_months_in_utc(database: Database) -> None:
    zone = timezone(timedelta(hours=-5))
    moment = datetime(2025, 1, 31, 23, tzinfo=zone)  # February in UTC
    with database.session_scope() as session:
        session.execute(sa.text("SET LOCAL timezone = 'America/New_York'"))
        made = ensure_partitions(session, "market_data", moment, moment)
        assert made == ["market_data_2025_02"]
        store_bars(session, [make_bars(count=1, start=moment)], T0)


def test_partitions_keep_checks_keys_and_time_limit(database: Database) -> None:
    with database.session_scope() as session:
        before = session.scalar(sa.text("SHOW lock_timeout"))
        ensure_partitions(session, "market_data", T0, T0)
        assert session.scalar(sa.text("SHOW lock_timeout")) == before
        store_bars(session, [make_bars(count=1)], T0)
    for change in ("high = 'NaN'", "low = 0", "volume = -1", "high = low / 2"):
        with pytest.raises(IntegrityError, match="ck_market_data_"):
            with database.session_scope() as session:
                session.execute(sa.text(f"UPDATE market_data SET {change}"))


def test_makers_at_once_do_not_collide(database: Database) -> None:
    failures: list[BaseException] = []

    def make(offset: int) -> None:
        try:
            with database.session_scope() as session:
                start = T0 + offset * MONTH
                ensure_partitions(session, "market_data", start, start + 6 * MONTH)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=make, args=(n % 2,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.session_scope() as session:
        assert ensure_partitions(session, "market_data", T0, T0 + 6 * MONTH) == []


def test_readers_and_writers_go_on_while_one_is_made(database: Database) -> None:
    with database.session_scope() as maker, database.session_scope() as other:
        store_bars(other, [make_bars(count=1)], T0)
        other.commit()
        ensure_partitions(maker, "market_data", T0 + MONTH, T0 + MONTH)
        other.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        store_bars(other, [make_bars(count=3)], T0)
        assert other.scalar(sa.select(sa.func.count()).select_from(MarketData)) == 3


def test_a_rolled_back_partition_is_made_again(database: Database) -> None:
    with pytest.raises(RuntimeError):
        with database.session_scope() as session:
            store_bars(session, [make_bars(count=1)], T0)
            raise RuntimeError("killed here")
    with database.session_scope() as session:
        assert store_bars(session, [make_bars(count=1)], T0).inserted == 1


def test_months_without_bars_get_no_partition(database: Database) -> None:
    with database.session_scope() as session:
        far = make_bars(2, 1, T0 - timedelta(days=20_000))
        store_bars(session, [make_bars(1, 1), far], T0)
        count = sa.text("SELECT count(*) FROM pg_class WHERE relispartition")
        assert session.scalar(count) == 2 + 2  # with their primary keys


def test_nonsense_is_refused(database: Database) -> None:
    with database.session_scope() as session:
        with pytest.raises(ValueError, match="table must be one of"):
            ensure_partitions(session, "signals", T0, T0)
        with pytest.raises(ValueError, match="is before start"):
            ensure_partitions(session, "market_data", T0, T0 - MONTH)
