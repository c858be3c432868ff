"""The door to PostgreSQL: engine, sessions, retries and time limits."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import sqlalchemy
import structlog
from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.stop import stop_after_attempt, stop_when_event_set

from app.config.settings import DatabaseSettings
from app.core import failpoints
from app.core.clock import Clock, SystemClock
from app.core.database_errors import MIGRATE_HINT, translated_errors
from app.core.database_url import describe, parse_url
from app.core.deadline import (
    GuardedConnection,
    cut_statements,
    find_block_deadline,
    statement_deadline,
)
from app.core.exceptions import DatabaseUnavailable, SchemaMismatch, WriteConflict
from app.core.failpoint_connections import ConnectionsInUse
from app.core.failpoints import fp

T = TypeVar("T")

# The server gives up first, with a clean error and a connection that stays usable.
_SERVER_SHARE = 0.9
_BACKOFF_SECONDS = 0.05
_LONGEST_BACKOFF_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class Database:
    """One pool of connections to one database.

    Nothing connects before first use. `clock` paces retries in real time: the
    server does not run on a replay's virtual time.

    Raises ConfigurationError for a URL that is not PostgreSQL's.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        url: str,
        *,
        application_name: str = "crypto-bot",
        clock: Clock | None = None,
    ) -> None:
        parsed = parse_url(url, settings.password.get_secret_value())
        self.target = describe(parsed)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._owner = object()
        # Jitter must differ between processes, so it is seeded by who we are.
        self._jitter = random.Random(f"{application_name}:{os.getpid()}")
        self.engine = create_engine(
            parsed.difference_update_query(["options"]),
            connect_args=self._connect_arguments(parsed, application_name),
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.statement_deadline_seconds,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        _limit_ping(self.engine, settings.connect_timeout_seconds)
        event.listen(self.engine, "begin", _apply_block_deadline)
        self.session_factory = sessionmaker(self.engine, expire_on_commit=False)
        failpoints.arm_from_environment()
        if failpoints.is_armed():
            failpoints.use_connections(ConnectionsInUse(self.engine))

    @contextmanager
    def session_scope(self) -> Iterator[Session]:
        """A session in one transaction: commit on success, rollback on any error.

        Objects stay readable after the commit. Raises WriteConflict,
        DatabaseUnavailable, DeadlineExceeded, StatementTimeout, StorageFull,
        DatabaseReadOnly, SchemaMismatch; other database errors as SQLAlchemy's.
        """
        session = self.session_factory()
        try:
            with translated_errors(self.target):
                yield session
                session.flush()
                fp("database.before_commit")
                session.commit()
            fp("database.after_commit")
        except BaseException:
            _roll_back(session)
            raise
        finally:
            session.close()

    def run_in_transaction(
        self,
        work: Callable[[Session], T],
        *,
        attempts: int = 5,
        stop: threading.Event | None = None,
    ) -> T:
        """`work` in a transaction of its own, run again after conflicts and cuts.

        **`work` must be idempotent**: when the connection dies during COMMIT the
        outcome is unknown, and the retry runs against whatever was committed. Write
        by unique key with `ON CONFLICT`, read back before deciding, and keep no
        result of an earlier attempt. Waits between attempts have full jitter and end
        when `stop` is set; then the last error is raised.

        Raises what `session_scope` raises, after `attempts` tries.
        """
        stop = stop or threading.Event()

        def once() -> T:
            with self.session_scope() as session:
                return work(session)

        def pause(seconds: float) -> None:
            self._clock.wait(stop, seconds)

        return Retrying(
            stop=stop_after_attempt(attempts) | stop_when_event_set(stop),
            wait=self._backoff_seconds,
            sleep=pause,
            retry=retry_if_exception_type((WriteConflict, DatabaseUnavailable)),
            before_sleep=_log_retry,
            reraise=True,
        )(once)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Give each statement of the block `seconds` instead of the usual deadline.

        For long work such as a big COPY or a migration. Enter it before the
        transaction begins: the server's own limit is set as it begins.
        """
        with statement_deadline(seconds):
            yield

    def check_connection(self) -> None:
        """Ask the server for an answer; raises what `session_scope` raises."""
        with translated_errors(self.target), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def find_revision(self) -> str | None:
        """The migration this database is at, or None before the first one."""
        query = text(
            "SELECT version_num FROM alembic_version ORDER BY version_num LIMIT 1"
        )
        with translated_errors(self.target), self.engine.connect() as connection:
            if not sqlalchemy.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(query).scalar()

    def check_schema(self, head_revision: str) -> None:
        """Raise SchemaMismatch, with the command to run, unless at `head_revision`."""
        found = self.find_revision()
        if found is None:
            raise SchemaMismatch(
                f"{self.target} has no tables yet (the code needs revision "
                f"{head_revision}): {MIGRATE_HINT}"
            )
        if found != head_revision:
            raise SchemaMismatch(
                f"{self.target} is at revision {found}, the code needs "
                f"{head_revision}: {MIGRATE_HINT}, or run the code that belongs to "
                "this database"
            )

    def cut_all(self) -> int:
        """Abort every statement in flight here; how many there were.

        Each raises DatabaseUnavailable in its own thread, at once, even when the
        server never answers. Safe from a signal handler. Later statements run.
        """
        return cut_statements(self._owner, "this process is stopping")

    def dispose(self) -> None:
        """Close the pool's idle connections."""
        self.engine.dispose()

    def _connect_arguments(self, url: URL, application_name: str) -> dict[str, Any]:
        settings = self._settings
        limits = {
            "timezone": "UTC",
            "datestyle": "ISO",  # else psycopg2 sets it, outside any deadline
            "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
            "statement_timeout": _server_limit(settings.statement_deadline_seconds),
        }
        options = " ".join(f"-c {name}={value}" for name, value in limits.items())
        given = url.query.get("options", "")
        theirs = given if isinstance(given, str) else " ".join(given)
        arguments: dict[str, Any] = {
            "options": f"{options} {theirs}".strip(),
            "connection_factory": partial(
                GuardedConnection,
                owner=self._owner,
                deadline_seconds=settings.statement_deadline_seconds,
            ),
        }
        defaults = {
            "connect_timeout": settings.connect_timeout_seconds,
            "application_name": application_name,
        }
        return arguments | {k: v for k, v in defaults.items() if k not in url.query}

    def _backoff_seconds(self, state: RetryCallState) -> float:
        ceiling = min(
            _LONGEST_BACKOFF_SECONDS, _BACKOFF_SECONDS * 2.0**state.attempt_number
        )
        return self._jitter.uniform(0.0, ceiling)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _server_limit(deadline_seconds: float) -> int:
    return _milliseconds(deadline_seconds * _SERVER_SHARE)


def _limit_ping(engine: Engine, seconds: float) -> None:
    """A pooled connection that does not answer as fast as a new one would is dead."""
    ping = engine.dialect.do_ping

    def quick_ping(connection: DBAPIConnection) -> bool:
        with statement_deadline(seconds):
            return ping(connection)

    engine.dialect.do_ping = quick_ping  # type: ignore[method-assign, assignment]


def _apply_block_deadline(connection: Connection) -> None:
    seconds = find_block_deadline()
    if seconds is not None:
        limit = _server_limit(seconds)
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {limit}")


def _roll_back(session: Session) -> None:
    try:
        session.rollback()
    except SQLAlchemyError as error:
        # The first error is the one to see; this connection is given up.
        _log.debug("rollback_failed", error=type(error).__name__)
        session.invalidate()


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    _log.warning(
        "transaction_retried",
        attempt=state.attempt_number,
        error=type(error).__name__,
        reason=str(error),
    )
