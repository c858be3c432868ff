"""`init-db.sql` on a real server, by psql as the container does it."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest
from psycopg2.extensions import connection as Connection
from sqlalchemy import make_url

from tests.docker.compose_files import ROOT


@pytest.fixture
def fresh_url(admin_url: str) -> Iterator[str]:
    name = f"init_{uuid.uuid4().hex[:12]}"
    _execute(admin_url, f"CREATE DATABASE {name}")
    url = make_url(admin_url).set(database=name, drivername="postgresql")
    yield url.render_as_string(hide_password=False)
    _execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_it_runs_twice_and_later_tables_are_readable_only(
    fresh_url: str, postgres_tools: Path
) -> None:
    for _ in range(2):
        _run_script(fresh_url, postgres_tools)
    _execute(fresh_url, "CREATE TABLE bars (close double precision)")

    with _connect(fresh_url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW timezone")
        assert cursor.fetchone() == ("UTC",)
        cursor.execute("SET ROLE crypto_reader")
        cursor.execute("SELECT count(*) FROM bars")
        assert cursor.fetchone() == (0,)
        for statement in (
            "INSERT INTO bars VALUES (1)",
            "DELETE FROM bars",
            "CREATE TABLE mine (a int)",
            "CREATE TEMPORARY TABLE mine (a int)",
        ):
            cursor.execute("SAVEPOINT before")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
            cursor.execute("ROLLBACK TO before")


def test_a_login_without_the_role_cannot_enter(
    fresh_url: str, postgres_tools: Path
) -> None:
    _run_script(fresh_url, postgres_tools)
    role = f"alice_{uuid.uuid4().hex[:8]}"
    _execute(fresh_url, f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    url = make_url(fresh_url).set(username=role, password="p")
    hers = url.render_as_string(hide_password=False)

    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        _connect(hers)
    _execute(fresh_url, f"GRANT crypto_reader TO {role}")
    _connect(hers).close()

    _execute(fresh_url, f"DROP ROLE {role}")


def _run_script(url: str, tools: Path) -> None:
    target = make_url(url)
    environment = {
        **os.environ,
        "PGPASSWORD": str(target.password),
        "PGHOST": str(target.host),
        "PGPORT": str(target.port),
        "PGUSER": str(target.username),
        "PGDATABASE": str(target.database),
    }
    script = ROOT / "scripts" / "db" / "init-db.sql"
    subprocess.run(
        [tools / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", script],
        env=environment,
        check=True,
    )


def _execute(url: str, statement: str) -> None:
    connection = _connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def _connect(url: str) -> Connection:
    plain = make_url(url).set(drivername="postgresql")
    return psycopg2.connect(plain.render_as_string(hide_password=False))
