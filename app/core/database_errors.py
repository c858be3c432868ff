"""Translates database errors into ours, by SQLSTATE.

Class names do not tell them apart: a full disk and a lost connection both arrive
as `OperationalError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import sqlalchemy.exc

from app.core.deadline import StatementCut
from app.core.exceptions import (
    AppError,
    ConfigurationError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DeadlineExceeded,
    SchemaMismatch,
    StatementTimeout,
    StorageFull,
    WriteConflict,
)

MIGRATE_HINT = "run `crypto-bot migrate` (or scripts/apply_migrations.py)"

_CONFLICTS = {
    "40001": "serialization failure",
    "40P01": "deadlock",
    "55P03": "lock not available within lock_timeout",
}
# While connecting psycopg2 gives no SQLSTATE, only libpq's and the server's text.
_CONNECT_REFUSALS = (
    ("authentication failed", "wrong user or password"),
    ("no password supplied", "a password is needed"),
    ("no pg_hba.conf entry", "the server lets nobody in from this address"),
    ("is not permitted to log in", "this role may not log in"),
)


@contextmanager
def translated_errors(target: str) -> Iterator[None]:
    """Raise our errors instead of SQLAlchemy's and psycopg2's where one fits.

    Others (constraint violations, programming errors) pass unchanged. `target` is
    the server and database, without password, for the message.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, psycopg2.Error) as error:
        ours = find_translation(error, target)
        if ours is None:
            raise
        raise ours from error


def find_translation(error: Exception, target: str) -> AppError | None:
    """Our error for `error`, or None where it should pass unchanged."""
    if isinstance(error, sqlalchemy.exc.TimeoutError):
        return DatabaseUnavailable(f"{target}: no connection of the pool is free")
    cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    if isinstance(cause, StatementCut):
        kind = DeadlineExceeded if cause.late else DatabaseUnavailable
        return kind(f"{target}: {_first_line(cause)}")
    if not isinstance(cause, psycopg2.Error):
        return None
    if cause.pgcode is not None:
        return _by_sqlstate(cause.pgcode, _first_line(cause), target)
    lost = getattr(error, "connection_invalidated", False)
    if lost or isinstance(cause, psycopg2.OperationalError):
        return _without_sqlstate(str(cause), target)
    if isinstance(cause, psycopg2.InterfaceError) and "closed" in str(cause):
        return DatabaseUnavailable(f"{target}: the connection is closed")
    return None


def _by_sqlstate(code: str, text: str, target: str) -> AppError | None:
    message = f"{target}: {text} (SQLSTATE {code})"
    if code in _CONFLICTS:
        return WriteConflict(f"{target}: {_CONFLICTS[code]}: {text} (SQLSTATE {code})")
    if code == "53100":
        return StorageFull(message)
    if code == "57014":
        return StatementTimeout(message)
    if code == "25006":
        return DatabaseReadOnly(message)
    if code == "42P01":
        return SchemaMismatch(f"{message}: {MIGRATE_HINT}")
    if code.startswith("28") or code == "3D000":
        return ConfigurationError(message)
    # 08: connection, 53: memory and connections, 57P: server stops, 58: its disk,
    # 25P03: it ended a transaction whose client was silent for too long.
    if code.startswith(("08", "53", "57P", "58", "25P03")):
        return DatabaseUnavailable(message)
    return None


def _without_sqlstate(text: str, target: str) -> AppError:
    line = _last_reason(text)
    for phrase, meaning in _CONNECT_REFUSALS:
        if phrase in text:
            return ConfigurationError(
                f"database.url: {target}: {meaning} ({line}); check DATABASE_URL and "
                "DATABASE_PASSWORD"
            )
    if "FATAL" in text and "does not exist" in text:
        return ConfigurationError(f"database.url: {target}: {line}")
    return DatabaseUnavailable(f"{target}: {line}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _last_reason(text: str) -> str:
    # libpq tries each address of a host and prints a line for each.
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    failed = [line for line in lines if "failed" in line or "FATAL" in line]
    return (failed or lines or ["the connection was lost"])[-1]
