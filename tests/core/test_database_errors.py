"""Database errors become ours by SQLSTATE, in one clear line without a password."""

from __future__ import annotations

import socket
import threading

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, text
from sqlalchemy.exc import DataError

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.exceptions import (
    AppError,
    ConfigurationError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    ExitCode,
    SchemaMismatch,
    StorageFull,
    WriteConflict,
)

_CANARY = "canary-password"


def _raise_in_server(database: Database, sqlstate: str) -> None:
    with database.session_scope() as session:
        raising = f"DO $$ BEGIN RAISE 'planted' USING ERRCODE = '{sqlstate}'; END $$"
        session.execute(text(raising))


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("40001", WriteConflict),
        ("40P01", WriteConflict),
        ("55P03", WriteConflict),
        ("53100", StorageFull),
        ("53300", DatabaseUnavailable),
        ("57P01", DatabaseUnavailable),
        ("08006", DatabaseUnavailable),
        ("58030", DatabaseUnavailable),
        ("25006", DatabaseReadOnly),
    ],
)
def test_sqlstate_decides(
    empty_database: Database, sqlstate: str, expected: type[AppError]
) -> None:
    with pytest.raises(expected, match=f"planted.*{sqlstate}"):
        _raise_in_server(empty_database, sqlstate)


def test_an_error_of_our_own_making_passes_unchanged(empty_database: Database) -> None:
    with pytest.raises(DataError):
        _raise_in_server(empty_database, "22003")


def test_a_lock_that_is_held_is_a_write_conflict(
    empty_database: Database, empty_database_url: str
) -> None:
    impatient = Database(
        DatabaseSettings(lock_timeout_seconds=0.05), empty_database_url
    )
    with empty_database.session_scope() as session:
        session.execute(text("CREATE TABLE t ()"))

    with empty_database.session_scope() as holder:
        holder.execute(text("LOCK TABLE t"))
        with pytest.raises(WriteConflict, match="lock_timeout"):
            with impatient.session_scope() as session:
                session.execute(text("LOCK TABLE t"))
    impatient.dispose()


def test_one_side_of_a_real_deadlock_gets_a_write_conflict(
    empty_database: Database,
) -> None:
    with empty_database.session_scope() as session:
        session.execute(text("CREATE TABLE t AS SELECT 1 AS n UNION SELECT 2"))
    both_hold_one = threading.Barrier(2)
    errors: list[AppError] = []

    def update(first: int, second: int) -> None:
        statement = text("UPDATE t SET n = n WHERE n = :n")
        try:
            with empty_database.session_scope() as session:
                session.execute(statement, {"n": first})
                both_hold_one.wait()
                session.execute(statement, {"n": second})
        except AppError as error:
            errors.append(error)

    threads = [threading.Thread(target=update, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [type(error) for error in errors] == [WriteConflict]


def test_writing_in_a_read_only_transaction(empty_database: Database) -> None:
    with pytest.raises(DatabaseReadOnly), empty_database.session_scope() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        session.execute(text("CREATE TABLE t ()"))


def test_a_missing_table_names_the_command_to_run(empty_database: Database) -> None:
    with pytest.raises(SchemaMismatch, match="crypto-bot migrate"):
        with empty_database.session_scope() as session:
            session.execute(text("SELECT * FROM market_data"))


def test_an_exhausted_pool(empty_database_url: str) -> None:
    settings = DatabaseSettings(
        pool_size=1, max_overflow=0, statement_deadline_seconds=0.2
    )
    database = Database(settings, empty_database_url)
    with database.session_scope() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable, match="no connection of the pool"):
            database.check_connection()
    database.dispose()


def _refusal(url: str, settings: DatabaseSettings | None = None) -> AppError:
    with pytest.raises(AppError) as caught:
        Database(settings or DatabaseSettings(), url).check_connection()
    assert _CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_wrong_password(empty_database_url: str) -> None:
    url = make_url(empty_database_url).set(password=_CANARY)

    error = _refusal(url.render_as_string(hide_password=False))

    assert isinstance(error, ConfigurationError)
    assert "wrong user or password" in str(error)
    assert error.exit_code == ExitCode.CONFIGURATION


def test_an_unknown_database(empty_database_url: str) -> None:
    url = make_url(empty_database_url).set(database="nowhere")

    error = _refusal(url.render_as_string(hide_password=False))

    assert isinstance(error, ConfigurationError)
    assert 'database "nowhere" does not exist' in str(error)


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    error = _refusal(f"postgresql://bot:{_CANARY}@127.0.0.1:{port}/x")

    assert isinstance(error, DatabaseUnavailable)
    assert f"127.0.0.1:{port}" in str(error) and "Connection refused" in str(error)
    assert error.exit_code == ExitCode.DATABASE_UNAVAILABLE


def test_an_unknown_host() -> None:
    error = _refusal(f"postgresql://bot:{_CANARY}@no-such-host.invalid/x")

    assert isinstance(error, DatabaseUnavailable)
    assert "no-such-host.invalid" in str(error)


@pytest.mark.parametrize(
    "url",
    [
        f"{_CANARY}",
        f"mysql://bot:{_CANARY}@host/x",
        f"postgresql://bot:{_CANARY}@host:port/x",
        f"postgresql+asyncpg://bot:{_CANARY}@host/x",
        f"postgresql://bot:{_CANARY}@[::1/x",
    ],
)
def test_a_url_that_is_not_postgresqls(url: str) -> None:
    error = _refusal(url)

    assert isinstance(error, ConfigurationError)
    assert "database.url" in str(error)


def test_the_password_may_come_apart_from_the_url(empty_database_url: str) -> None:
    whole = make_url(empty_database_url)
    settings = DatabaseSettings(password=SecretStr(whole.password or ""))
    without = f"postgres://{whole.username}@{whole.host}:{whole.port}/{whole.database}"

    database = Database(settings, without)
    database.check_connection()
    database.dispose()

    assert (whole.password or "") not in repr(database.engine) + database.target
