"""How each trouble around a pass is made, and undone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import make_url

from tests.chaos.bench import Bench, connect
from tests.chaos.child import Child
from tests.chaos.plan import Trouble
from tests.core.tcp_proxy import Fault

_PAUSE_SECONDS = 0.08
_DISK_FULL = """
CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.cryptocurrency_id >= 2 THEN
        RAISE EXCEPTION 'could not extend file: No space left on device'
            USING ERRCODE = '53100';
    END IF;
    RETURN NEW;
END $$
"""
_SLOW = """
CREATE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(20);
    RETURN NEW;
END $$
"""
_TRIGGER = """
CREATE TRIGGER chaos BEFORE INSERT ON market_data
FOR EACH ROW EXECUTE FUNCTION chaos()
"""


@contextmanager
def lasting(trouble: Trouble, bench: Bench, url: str) -> Iterator[None]:
    """A trouble that lasts for the whole of a pass."""
    name = make_url(url).database
    match trouble:
        case Trouble.LOCK_ROWS:
            statement = "SELECT 1 FROM series_cursors FOR UPDATE"
            with _transaction(url, statement):
                yield
        case Trouble.LOCK_TABLE:
            with _transaction(url, "LOCK TABLE market_data IN ACCESS EXCLUSIVE MODE"):
                yield
        case Trouble.DISK_FULL:
            with _trigger(url, _DISK_FULL):
                yield
        case Trouble.SLOW_STATEMENT:
            with _trigger(url, _SLOW):
                yield
        case Trouble.READ_ONLY:
            bench.administer(
                f"ALTER DATABASE {name} SET default_transaction_read_only = on"
            )
            terminate_backends(bench, url)
            try:
                yield
            finally:
                bench.administer(f"ALTER DATABASE {name} RESET ALL")
                terminate_backends(bench, url)
        case Trouble.NO_CONNECTIONS:
            bench.administer(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
            terminate_backends(bench, url)
            try:
                yield
            finally:
                bench.administer(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
        case Trouble.BLACK_HOLE | Trouble.CUT_AFTER_COMMIT:
            bench.proxy.fault = Fault[trouble.name]
            try:
                yield
            finally:
                bench.proxy.fault = Fault.NONE
                bench.proxy.cut()
        case Trouble.DELAY:
            bench.proxy.delay_seconds = 0.003
            try:
                yield
            finally:
                bench.proxy.delay_seconds = 0.0
        case _:
            yield


@contextmanager
def momentary(
    trouble: Trouble, after_seconds: float, bench: Bench, url: str, child: Child
) -> Iterator[None]:
    """A trouble that comes `after_seconds` into a pass (real ones)."""
    deed: Callable[[], None]
    match trouble:
        case Trouble.KILL:

            def deed() -> None:
                child.send(signal.SIGKILL)

        case Trouble.PAUSE:

            def deed() -> None:
                child.send(signal.SIGSTOP)

        case Trouble.RESTART_SERVER:
            deed = bench.restart_server
        case Trouble.TERMINATE_BACKENDS:

            def deed() -> None:
                terminate_backends(bench, url)

        case Trouble.CUT:
            deed = bench.proxy.cut
        case _:
            yield
            return
    timer = threading.Timer(after_seconds, deed)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def terminate_backends(bench: Bench, url: str) -> None:
    """End every connection to the database of `url`."""
    name = make_url(url).database
    bench.administer(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}'"
    )


@contextmanager
def _transaction(url: str, statement: str) -> Iterator[None]:
    connection = connect(url)
    connection.autocommit = False
    connection.cursor().execute(statement)
    try:
        yield
    finally:
        try:
            connection.rollback()
        except psycopg2.Error:
            pass  # the server went down meanwhile
        connection.close()


@contextmanager
def _trigger(url: str, function: str) -> Iterator[None]:
    for statement in (function, _TRIGGER):
        _execute(url, statement)
    try:
        yield
    finally:
        _execute(url, "DROP FUNCTION chaos CASCADE")


def _execute(url: str, statement: str) -> None:
    connection = connect(url)
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()
