"""Work goes on after lost connections, and nothing is written twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.config.settings import DatabaseSettings
from app.core.clock import ManualClock
from app.core.database import Database
from app.core.exceptions import DatabaseUnavailable, SchemaMismatch, WriteConflict
from tests.core.tcp_proxy import Fault, TcpProxy


@pytest.fixture
def proxy(empty_database_url: str) -> Iterator[TcpProxy]:
    with TcpProxy.in_front_of(empty_database_url) as proxy:
        yield proxy


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2025, 1, 6, tzinfo=timezone.utc))


@pytest.fixture
def ledger(
    proxy: TcpProxy, empty_database_url: str, clock: ManualClock
) -> Iterator[Database]:
    """A database behind the proxy with a table of unique keys."""
    database = Database(
        DatabaseSettings(), proxy.url_for(empty_database_url), clock=clock
    )
    with database.session_scope() as session:
        session.execute(text("CREATE TABLE ledger (key int PRIMARY KEY)"))
    yield database
    database.dispose()


def _record(session: Session) -> None:
    session.execute(text("INSERT INTO ledger VALUES (1) ON CONFLICT DO NOTHING"))


def _count(session: Session) -> int:
    return int(session.execute(text("SELECT count(*) FROM ledger")).scalar_one())


def _terminate_others(database: Database) -> None:
    with database.session_scope() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_idle_connections_the_server_closed_are_replaced(
    ledger: Database, empty_database: Database
) -> None:
    _terminate_others(empty_database)

    with ledger.session_scope() as session:
        assert _count(session) == 0


def test_a_backend_terminated_inside_a_transaction_loses_only_that(
    ledger: Database, empty_database: Database
) -> None:
    with pytest.raises(DatabaseUnavailable), ledger.session_scope() as session:
        _record(session)
        _terminate_others(empty_database)
        session.execute(text("SELECT 1"))

    with ledger.session_scope() as session:
        assert _count(session) == 0


def test_a_whole_transaction_is_run_again_after_a_reset(
    ledger: Database, proxy: TcpProxy
) -> None:
    tries = []

    def work(session: Session) -> int:
        tries.append(None)
        _record(session)
        if len(tries) < 3:
            proxy.cut()
        return _count(session)

    assert ledger.run_in_transaction(work) == 1
    assert len(tries) == 3


def test_a_commit_whose_answer_was_lost_counts_once(
    ledger: Database, proxy: TcpProxy
) -> None:
    proxy.fault = Fault.CUT_AFTER_COMMIT

    ledger.run_in_transaction(_record)

    with ledger.session_scope() as session:
        assert _count(session) == 1
    assert proxy.fault is Fault.NONE  # the cut did happen


def test_work_that_is_not_idempotent_would_be_caught_by_its_key(
    ledger: Database, proxy: TcpProxy
) -> None:
    proxy.fault = Fault.CUT_AFTER_COMMIT

    with pytest.raises(IntegrityError):
        ledger.run_in_transaction(
            lambda session: session.execute(text("INSERT INTO ledger VALUES (1)"))
        )


def test_retries_end_after_the_given_attempts(
    ledger: Database, clock: ManualClock
) -> None:
    started_at = clock.monotonic()
    tries = []

    def work(session: Session) -> None:
        tries.append(None)
        raise WriteConflict("planted")

    with pytest.raises(WriteConflict):
        ledger.run_in_transaction(work, attempts=4)

    assert len(tries) == 4
    assert 0 < clock.monotonic() - started_at < 0.1 + 0.2 + 0.4


def test_a_stop_ends_the_retries(ledger: Database) -> None:
    stop = threading.Event()
    tries = []

    def work(session: Session) -> None:
        tries.append(None)
        stop.set()
        raise WriteConflict("planted")

    with pytest.raises(WriteConflict):
        ledger.run_in_transaction(work, stop=stop)

    assert len(tries) == 1


def test_errors_of_the_work_itself_are_not_retried(ledger: Database) -> None:
    tries = []

    def work(session: Session) -> None:
        tries.append(None)
        raise KeyError("ours")

    with pytest.raises(KeyError):
        ledger.run_in_transaction(work)

    assert len(tries) == 1


def test_the_schema_check_accepts_only_the_codes_own_revision(
    empty_database: Database,
) -> None:
    with pytest.raises(SchemaMismatch, match="no tables yet.*crypto-bot migrate"):
        empty_database.check_schema("0002")
    with empty_database.session_scope() as session:
        session.execute(text("CREATE TABLE alembic_version (version_num text)"))
        session.execute(text("INSERT INTO alembic_version VALUES ('0001')"))

    empty_database.check_schema("0001")
    with pytest.raises(SchemaMismatch, match="at revision 0001, the code needs 0002"):
        empty_database.check_schema("0002")
