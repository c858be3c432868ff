"""No statement outlasts its deadline, even behind a black hole."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.config.settings import DatabaseSettings
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import (
    AppError,
    DatabaseUnavailable,
    DeadlineExceeded,
    StatementTimeout,
)
from tests.core.tcp_proxy import Fault, TcpProxy

_SHORT = DatabaseSettings(statement_deadline_seconds=0.4, connect_timeout_seconds=1)


@pytest.fixture
def proxy(empty_database_url: str) -> Iterator[TcpProxy]:
    with TcpProxy.in_front_of(empty_database_url) as proxy:
        yield proxy


@pytest.fixture
def remote(proxy: TcpProxy, empty_database_url: str) -> Iterator[Database]:
    """A database reached through the proxy, with a deadline of 0.4 s."""
    database = Database(_SHORT, proxy.url_for(empty_database_url))
    yield database
    database.dispose()


def _copy_in(session: Session, stream: io.BytesIO) -> None:
    raw = session.connection().connection.cursor()
    raw.copy_expert("COPY numbers FROM STDIN", stream)


def test_a_black_hole_ends_a_statement_at_its_deadline(
    remote: Database, proxy: TcpProxy
) -> None:
    with pytest.raises(DeadlineExceeded, match="0.4 s"):
        with remote.session_scope() as session:
            session.execute(text("SELECT 1"))
            proxy.fault = Fault.BLACK_HOLE
            session.execute(text("SELECT 2"))


def test_a_black_hole_ends_a_commit_at_its_deadline(
    remote: Database, proxy: TcpProxy
) -> None:
    with pytest.raises(DeadlineExceeded), remote.session_scope() as session:
        session.execute(text("CREATE TABLE t ()"))
        proxy.fault = Fault.BLACK_HOLE


def test_a_black_hole_ends_a_copy_at_its_deadline(
    remote: Database, proxy: TcpProxy
) -> None:
    with pytest.raises(DeadlineExceeded), remote.session_scope() as session:
        session.execute(text("CREATE TABLE numbers (n int)"))
        proxy.fault = Fault.BLACK_HOLE
        _copy_in(session, io.BytesIO(b"1\n" * 1_000_000))


def test_a_server_that_takes_no_data_ends_a_copy_at_its_deadline(
    remote: Database, proxy: TcpProxy
) -> None:
    with pytest.raises(DeadlineExceeded), remote.session_scope() as session:
        session.execute(text("CREATE TABLE numbers (n int)"))
        proxy.delay_seconds = 30.0  # the proxy reads no more: buffers fill up
        _copy_in(session, io.BytesIO(b"1\n" * 20_000_000))


def test_connecting_into_a_black_hole_ends(
    proxy: TcpProxy, empty_database_url: str
) -> None:
    settings = DatabaseSettings(connect_timeout_seconds=1)
    database = Database(settings, proxy.url_for(empty_database_url))
    proxy.fault = Fault.BLACK_HOLE

    with pytest.raises(DatabaseUnavailable, match="timeout expired"):
        database.check_connection()


def test_the_pool_recovers_once_the_network_does(
    remote: Database, proxy: TcpProxy
) -> None:
    remote.check_connection()
    proxy.fault = Fault.BLACK_HOLE
    with pytest.raises(DatabaseUnavailable):
        remote.check_connection()
    proxy.fault = Fault.NONE

    remote.check_connection()


def test_a_limit_of_the_servers_keeps_the_connection(empty_database: Database) -> None:
    def backend(session: Session) -> int:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())

    with pytest.raises(StatementTimeout), empty_database.session_scope() as session:
        before = backend(session)
        session.execute(text("SET LOCAL statement_timeout = 50"))
        session.execute(text("SELECT pg_sleep(60)"))

    with empty_database.session_scope() as session:
        assert backend(session) == before


def test_a_block_may_take_longer(remote: Database) -> None:
    with remote.deadline(30), remote.session_scope() as session:
        slept = session.execute(text("SELECT 'done' FROM pg_sleep(0.6)")).scalar()

    assert slept == "done"


def test_copy_works_in_both_directions(empty_database: Database) -> None:
    rows = b"".join(b"%d\n" % number for number in range(50_000))
    out = io.BytesIO()

    with empty_database.session_scope() as session:
        session.execute(text("CREATE TABLE numbers (n int)"))
        _copy_in(session, io.BytesIO(rows))
        raw = session.connection().connection.cursor()
        raw.copy_expert("COPY (SELECT n FROM numbers ORDER BY n) TO STDOUT", out)

    assert out.getvalue() == rows


def test_rows_streamed_from_the_server_have_the_deadline_too(
    remote: Database, proxy: TcpProxy
) -> None:
    query = text("SELECT * FROM generate_series(1, 100000)")
    with pytest.raises(DeadlineExceeded), remote.session_scope() as session:
        rows = session.execute(query.execution_options(yield_per=100))
        next(rows)
        proxy.fault = Fault.BLACK_HOLE
        list(rows)


def test_cut_all_aborts_only_this_databases_statements(
    empty_database: Database, empty_database_url: str
) -> None:
    other = Database(DatabaseSettings(), empty_database_url)
    outcomes: dict[str, object] = {}

    def sleep(name: str, database: Database, seconds: float) -> None:
        try:
            with database.session_scope() as session:
                session.execute(text(f"SELECT pg_sleep({seconds})"))
            outcomes[name] = "finished"
        except AppError as error:
            outcomes[name] = type(error)

    threads = [
        threading.Thread(target=sleep, args=("mine", empty_database, 60)),
        threading.Thread(target=sleep, args=("other", other, 0.8)),
    ]
    for thread in threads:
        thread.start()
    while empty_database.cut_all() == 0:
        SystemClock().wait(threading.Event(), 0.01)
    for thread in threads:
        thread.join()
    other.dispose()

    assert outcomes == {"mine": DatabaseUnavailable, "other": "finished"}


def test_the_server_stops_working_on_a_statement_that_was_cut(
    empty_database: Database, remote: Database
) -> None:
    busy = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE query LIKE 'SELECT pg_sleep(77)%' AND state = 'active'"
    )
    with pytest.raises(DeadlineExceeded), remote.session_scope() as session:
        session.execute(text("SET LOCAL statement_timeout = 0"))
        session.execute(text("SELECT pg_sleep(77)"))

    def still_busy() -> bool:
        with empty_database.session_scope() as session:
            return bool(session.execute(busy).scalar())

    while still_busy():  # the test's own time limit is the bound
        SystemClock().wait(threading.Event(), 0.05)


def test_a_forked_child_has_a_guard_of_its_own(
    remote: Database, empty_database_url: str
) -> None:
    remote.check_connection()  # the parent's guard thread runs
    child = os.fork()
    if child == 0:
        code = 1
        try:
            database = Database(_SHORT, empty_database_url)
            with database.session_scope() as session:
                session.execute(text("SET LOCAL statement_timeout = 0"))
                session.execute(text("SELECT pg_sleep(60)"))
        except DeadlineExceeded:
            code = 0
        finally:
            os._exit(code)

    assert os.waitpid(child, 0)[1] == 0
