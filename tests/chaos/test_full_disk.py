"""A disk that really fills up loses nothing: what was not stored is stored later.

Needs the right to mount a small file system, so it is skipped for ordinary users; the
chaos suite plays the server's refusal (SQLSTATE 53100) for them.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.exceptions import DatabaseUnavailable, StorageFull
from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.core.postgres.server import EmbeddedServer
from app.domain.timeframe import Timeframe
from app.models.schema import upgrade
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from app.services.coverage_check import verify_coverage
from tests.database_fixtures import temporary_folder
from tests.models.factories import add_market, add_run
from tests.services.series import bars_at
from tests.services.world import at

BARS = 10_000


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 96 MiB."""
    with temporary_folder() as folder:
        words = ["mount", "-t", "tmpfs", "-o", "size=96m,mode=0777", "tmpfs"]
        made = subprocess.run([*words, str(folder)], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def server(small_disk: Path) -> Iterator[EmbeddedServer]:
    access = connect_or_start(
        ServerLocation(small_disk),
        server_identity(),
    )
    assert access.server is not None
    try:
        upgrade(access.server.url)
        yield access.server
    finally:
        access.server.stop()


def block(key: int, number: int) -> SeriesSlice:
    """The next `BARS` minutes of a series."""
    first = number * BARS
    return SeriesSlice(
        cryptocurrency_id=key,
        timeframe=Timeframe.M1,
        bars=bars_at(range(first, first + BARS), price=100.0 + number),
        answered_from=at(first),
        answered_until=at(first + BARS),
        counts_as_answer=True,
        expected_from=at(first),
    )


def test_a_full_disk_loses_and_invents_nothing(
    server: EmbeddedServer, small_disk: Path
) -> None:
    database = Database(DatabaseSettings(), server.url)
    with database.session_scope() as session:
        run_id = add_run(session)
        key = add_market(session, run_id).id
    ledger = Ledger(run_id)

    def store(number: int) -> None:
        with database.session_scope() as session:
            ledger.store(session, [block(key, number)], at((number + 1) * BARS))

    # 1. It fills up: a table cannot grow, or the server stops as its log cannot.
    full = 0
    with pytest.raises((StorageFull, DatabaseUnavailable)):
        while full < 200:
            store(full)
            full += 1
    # 2. Somebody makes room; the very same block is stored, and those after it.
    subprocess.run(["mount", "-o", "remount,size=512m", str(small_disk)], check=True)
    server.stop()
    server.start()
    for number in range(full, full + 5):
        store(number)
    # 3. Every bar is there once, as it was given, and every slot accounted for.
    with database.session_scope() as session:
        assert not verify_coverage(session)
        rows = session.execute(
            sa.text("SELECT timestamp, open FROM market_data ORDER BY timestamp")
        ).all()
    assert [(row.timestamp, row.open) for row in rows] == [
        (at(minute), 100.0 + minute // BARS) for minute in range((full + 5) * BARS)
    ]
    database.dispose()
