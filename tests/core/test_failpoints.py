"""A failpoint strikes exactly where and when it was told to, and never otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from app.config.settings import DatabaseSettings
from app.core import failpoints
from app.core.database import Database
from app.core.exceptions import (
    ConfigurationError,
    DatabaseUnavailable,
    RetryableError,
    WriteConflict,
)
from app.core.failpoint_plan import NAMES
from app.core.failpoints import fp


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def test_nothing_happens_unless_armed() -> None:
    for name in NAMES:
        fp(name)


def test_it_strikes_at_the_pass_named_and_at_no_other() -> None:
    failpoints.arm("store.after_bars=raise:WriteConflict@2")
    fp("store.after_bars")
    fp("store.after_gaps")

    with pytest.raises(WriteConflict):
        fp("store.after_bars")
    fp("store.after_bars")


def test_a_star_means_every_pass() -> None:
    failpoints.arm("store.after_bars=raise@*")
    for _ in range(2):
        with pytest.raises(RetryableError, match="store.after_bars"):
            fp("store.after_bars")


@pytest.mark.parametrize(
    ("instruction", "hint"),
    [
        ("store.after_bar=kill", "store.after_bars"),
        ("store.after_bars=kil", "kill"),
        ("store.after_bars=raise:WriteConflicts", "WriteConflict"),
        ("store.after_bars=kill@0", "neither a pass"),
        ("store.after_bars=sleep:soon", "no number of seconds"),
        ("store.after_bars=cut_after_commit", "database.before_commit"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest(
    instruction: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        failpoints.arm(instruction)


def test_kill_in_another_process_by_its_environment() -> None:
    code = (
        "from app.core import failpoints as f; f.arm_from_environment();"
        "f.fp('store.after_lock'); print('once', flush=True); f.fp('store.after_lock')"
    )
    environment = {**os.environ, failpoints.VARIABLE: "store.after_lock=kill@2"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, b"once\n")


def _insert(database: Database) -> None:
    with database.session_scope() as session:
        session.execute(text("INSERT INTO notes VALUES (1)"))


def _count(database: Database) -> int:
    with database.session_scope() as session:
        return int(session.execute(text("SELECT count(*) FROM notes")).scalar_one())


@pytest.mark.parametrize(
    ("action", "committed"), [("terminate_backend", 0), ("cut_after_commit", 1)]
)
def test_a_connection_is_lost_before_or_after_the_commit_took_effect(
    empty_database: Database, empty_database_url: str, action: str, committed: int
) -> None:
    with empty_database.session_scope() as session:
        session.execute(text("CREATE TABLE notes (id integer)"))
    failpoints.arm(f"database.before_commit={action}")
    database = Database(DatabaseSettings(), empty_database_url)

    with pytest.raises(DatabaseUnavailable):
        _insert(database)

    assert _count(database) == committed
    _insert(database)
    assert _count(database) == committed + 1
    database.dispose()
