"""A real PostgreSQL for the tests: one server a session, one database a test."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
import alembic.config
import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import make_url

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.database_url import parse_url
from app.core.exceptions import ConfigurationError
from app.core.postgres.access import connect_or_start
from app.core.postgres.connection_file import OWNER_ROLE
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.core.postgres.owner_lock import OwnerLock

_PREFIX = "crypto-bot-tests-"
ROOT = Path(__file__).resolve().parents[1]
# A test server loses nothing worth keeping when the machine dies.
_FAST_AND_LOOSE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of an account that may create databases on a real server.

    `TEST_DATABASE_URL` if set, otherwise an embedded server of this test run.
    """
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        yield given
        return
    with temporary_folder() as folder:
        access = connect_or_start(
            ServerLocation(folder), server_identity(), server_settings=_FAST_AND_LOOSE
        )
        assert access.server is not None
        try:
            allow = sql.SQL("ALTER ROLE {} CREATEDB").format(sql.Identifier(OWNER_ROLE))
            _run(access.server.admin_url, allow)
            yield access.url
        finally:
            access.server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    """Name of a database migrated to the newest revision, to be cloned."""
    with _fresh_database(postgres_url) as (name, url):
        config = alembic.config.Config(str(ROOT / "alembic.ini"))
        config.attributes["url"] = url
        alembic.command.upgrade(config, "head")
        yield name


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """URL of a migrated database of this test's own, dropped afterwards."""
    with _fresh_database(postgres_url, template=template_database) as (_, url):
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A `Database` on a migrated database of this test's own."""
    yield from _opened(database_url)


@pytest.fixture(scope="module")
def module_database(postgres_url: str, template_database: str) -> Iterator[Database]:
    """A `Database` for all tests of a module, which build it once and only read it."""
    with _fresh_database(postgres_url, template=template_database) as (_, url):
        yield from _opened(url)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """URL of a database without tables, of this test's own."""
    with _fresh_database(postgres_url) as (_, url):
        yield url


@pytest.fixture
def empty_database(empty_database_url: str) -> Iterator[Database]:
    """A `Database` without tables, of this test's own."""
    yield from _opened(empty_database_url)


def _opened(url: str) -> Iterator[Database]:
    database = Database(DatabaseSettings(), url, application_name="crypto-bot tests")
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def _fresh_database(url: str, template: str = "template1") -> Iterator[tuple[str, str]]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    identifier = sql.Identifier(name)
    _run(
        url,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            identifier, sql.Identifier(template)
        ),
    )
    try:
        renamed = make_url(url).set(database=name)
        yield name, renamed.render_as_string(hide_password=False)
    finally:
        # FORCE: a test that left a connection open must not fail the next one.
        _run(url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _run(url: str, statement: sql.Composed) -> None:
    parsed = parse_url(url).set(drivername="postgresql")
    connection = psycopg2.connect(parsed.render_as_string(hide_password=False))
    try:
        connection.autocommit = True  # CREATE DATABASE runs in no transaction
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@contextmanager
def temporary_folder(*, in_memory: bool = True) -> Iterator[Path]:
    """A folder every user may enter, removed afterwards.

    Not below pytest's own: that one is 0700, and as root the server runs as another
    user. In memory where there is room, as creating a database makes 300 files.
    """
    parent = _memory() if in_memory else None
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    in_use = OwnerLock(folder.with_suffix(".lock"))
    in_use.acquire()
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        _remove(folder)
        in_use.release()


def _memory() -> Path | None:
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK):
        return None
    for lock_file in memory.glob(f"{_PREFIX}*.lock"):
        # Of a run that was killed, if nobody holds it any more.
        lock = OwnerLock(lock_file)
        with contextlib.suppress(ConfigurationError):
            if lock.acquire():
                _remove(lock_file.with_suffix(""))
        lock.release()
    enough = shutil.disk_usage(memory).free > 2 * 1024**3
    return memory if enough else None


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)
