"""What the benchmarks share: a server of their own, timing, aims."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from app.config.settings import DatabaseSettings
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.models import schema

console = Console()
_monotonic = SystemClock().monotonic


@dataclass(frozen=True)
class Aim:
    """What was measured, and the bound it should keep."""

    name: str
    value: float
    bound: float
    at_least: bool

    @property
    def is_met(self) -> bool:
        """Whether the value keeps its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Figure:
    """Rows handled in so many seconds."""

    name: str
    rows: int
    seconds: float


@dataclass(frozen=True)
class BenchmarkServer:
    """A server of the benchmark's own: an account for everything, and a folder."""

    database: Database
    admin_url: str
    folder: Path


@contextmanager
def benchmark_database(url: str = "") -> Iterator[Database]:
    """A migrated database: at `url` (which should be empty), or on a new server."""
    if url:
        with _migrated(url) as database:
            yield database
        return
    with benchmark_server() as server:
        yield server.database


@contextmanager
def benchmark_server() -> Iterator[BenchmarkServer]:
    """A migrated database on a new server, whose folder every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="crypto-bot-bench-"))
    folder.chmod(0o755)  # as root the server runs as another user
    try:
        access = connect_or_start(ServerLocation(folder), server_identity())
        assert access.server is not None
        try:
            with _migrated(access.url) as database:
                yield BenchmarkServer(database, access.server.admin_url, folder)
        finally:
            access.server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _migrated(url: str) -> Iterator[Database]:
    schema.upgrade(url)
    settings = DatabaseSettings(statement_deadline_seconds=600)
    database = Database(settings, url, application_name="crypto-bot bench")
    try:
        yield database
    finally:
        database.dispose()


def run_outside_transaction(database: Database, statement: str) -> None:
    """Run a statement, such as VACUUM, that no transaction may hold."""
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(statement))


def best_seconds(
    rounds: int, work: Callable[[], object], before: Callable[[], object]
) -> float:
    """Least duration of `work` in `rounds` tries, each after `before`.

    The least, because whatever else the machine does only ever adds time.
    """
    best = float("inf")
    for _ in range(rounds):
        before()
        gc.collect()
        started = _monotonic()
        work()
        best = min(best, _monotonic() - started)
    return best


def report(title: str, figures: list[Figure], reference: Figure) -> None:
    """Print `figures` beside `reference`."""
    table = Table(title=title, title_justify="left")
    for heading in ("", "seconds", "rows/s", "speed over reference"):
        table.add_column(heading, justify="left" if not heading else "right")
    for figure in (reference, *figures):
        table.add_row(
            figure.name,
            f"{figure.seconds:.3f}",
            f"{figure.rows / figure.seconds:,.0f}",
            f"{reference.seconds / figure.seconds:.2f}",
        )
    console.print(table)


def judge(aims: list[Aim]) -> int:
    """Print which aims are kept; the exit code: 0 if all are."""
    for aim in aims:
        sign = "at least" if aim.at_least else "at most"
        verdict = "[green]kept[/]" if aim.is_met else "[red]MISSED[/]"
        console.print(f"{verdict}  {aim.name}: {aim.value:.2f} ({sign} {aim.bound:g})")
    return 0 if all(aim.is_met for aim in aims) else 1
