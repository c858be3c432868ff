"""How fast history goes in through the ledger, next to a bare server-side COPY.

Run by `make bench`. The same rows go into two equal tables of one server: once in a
single binary `COPY FROM` a file on the server, once the way `crypto-bot backfill`
stores them, in transactions of 100,000 bars that compare with what is stored, keep
what they supersede, book the gaps and move the cursors. Then again, with all of it
stored already. Exits 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.exceptions import AppError
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.models import ConfigurationHistory, Cryptocurrency
from app.models.bar_copy import COLUMNS, bar_tuples
from app.models.bars import BAR_DTYPE, SeriesBars, from_microseconds
from app.models.binary_copy import encode
from app.models.keyed_bars import KeyedBars
from app.services.backfill.series_run import BARS_PER_TRANSACTION
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from benchmarks.ingest import START, make_history, make_reference
from benchmarks.support import (
    Aim,
    BenchmarkServer,
    Figure,
    benchmark_server,
    best_seconds,
    console,
    judge,
    report,
    run_outside_transaction,
)

SERIES = 10
# As in the recorded hours of BTC: an outage in about 2,000 bars, 4 to 5 bars long.
BARS_PER_HOLE, LONGEST_HOLE = 2_000, 9
LEAST_SHARE = 0.40
NOW = datetime(2027, 1, 1, tzinfo=timezone.utc)


def main() -> int:
    """Measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000, help="bars back-filled")
    parser.add_argument("--rounds", type=int, default=2, help="tries; the best counts")
    arguments = parser.parse_args()
    if arguments.rows < 1_000 * SERIES or arguments.rounds < 1:
        parser.error(f"--rows must be at least {1_000 * SERIES}, --rounds at least 1")
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring", total=3 * arguments.rounds)
        with benchmark_server() as server:
            aims = measure(
                server,
                arguments.rows,
                arguments.rounds,
                lambda: progress.advance(task),
            )
    return judge(aims)


def measure(
    server: BenchmarkServer, rows: int, rounds: int, tick: Callable[[], None]
) -> list[Aim]:
    """Store one history in both ways, and once more when it is all there."""
    database, slots = server.database, rows // SERIES
    history = with_holes(make_history(SERIES, slots))
    rows = sum(len(series.bars) for series in history)
    with database.session_scope() as session:
        make_reference(session, START + timedelta(minutes=slots))
        run_id = register(session)
    path = server.folder / "bars.copy"
    write_copy_file(path, history)
    slices = list(cut(history, slots))

    def copy_raw() -> None:
        # One COPY of all rows by the server itself.
        names = ", ".join(COLUMNS)
        run_as_administrator(
            server, f"COPY reference ({names}) FROM '{path}' (FORMAT binary)"
        )

    def store() -> None:
        store_through_ledger(database, run_id, slices)

    def empty(tables: str) -> Callable[[], None]:
        def prepare() -> None:
            tick()
            run_outside_transaction(database, f"TRUNCATE {tables}")
            run_as_administrator(server, "CHECKPOINT")

        return prepare

    raw = Figure(
        "raw binary COPY FROM a file",
        rows,
        best_seconds(rounds, copy_raw, empty("reference")),
    )
    ours = "market_data, market_data_gaps, market_data_revisions, series_cursors"
    fresh = Figure(
        "back-fill, none stored yet", rows, best_seconds(rounds, store, empty(ours))
    )
    run_outside_transaction(database, "VACUUM ANALYZE market_data")
    again = Figure(
        "back-fill, all stored unchanged", rows, best_seconds(rounds, store, tick)
    )
    gaps = sum(len(np.flatnonzero(np.diff(s.bars["open_at"]) > 60e6)) for s in history)
    title = f"Back-filling {rows:,} one-minute bars of {SERIES} series, {gaps:,} gaps"
    report(title, [fresh, again], raw)
    return [
        Aim(
            "back-fill over server-side COPY FROM",
            raw.seconds / fresh.seconds,
            LEAST_SHARE,
            True,
        )
    ]


def with_holes(history: list[SeriesBars]) -> list[SeriesBars]:
    """The same series, each with as many outages as a real one has."""
    rng = np.random.default_rng(11)
    holed = []
    for series in history:
        kept = np.ones(len(series.bars), dtype=bool)
        holes = len(kept) // BARS_PER_HOLE
        starts = rng.integers(1, len(kept) - LONGEST_HOLE - 1, holes)
        for start, length in zip(
            starts.tolist(), rng.integers(1, LONGEST_HOLE, holes).tolist(), strict=True
        ):
            kept[start : start + length] = False
        holed.append(
            SeriesBars(series.cryptocurrency_id, series.timeframe, series.bars[kept])
        )
    return holed


def cut(history: list[SeriesBars], slots: int) -> Iterator[SeriesSlice]:
    """Slices of a transaction each, as a back-fill makes them."""
    minute_us = 60_000_000
    for series in history:
        first = int(series.bars["open_at"][0]) // minute_us
        for start in range(0, slots, BARS_PER_TRANSACTION):
            bounds = [first + start, first + min(start + BARS_PER_TRANSACTION, slots)]
            edges = np.array(bounds) * minute_us
            left, right = np.searchsorted(series.bars["open_at"], edges).tolist()
            bars: NDArray[np.void] = series.bars[left:right]
            assert bars.dtype == BAR_DTYPE
            yield SeriesSlice(
                series.cryptocurrency_id,
                series.timeframe,
                bars,
                from_microseconds(edges[0]),
                from_microseconds(edges[1]),
                counts_as_answer=True,
                read_at=NOW,
            )


def store_through_ledger(
    database: Database, run_id: UUID, slices: list[SeriesSlice]
) -> None:
    """A transaction a slice."""
    ledger = Ledger(run_id, (60, 3600, 86_400, 604_800))
    for item in slices:
        with database.session_scope() as session:
            ledger.store(session, [item], NOW)


def write_copy_file(path: Path, history: list[SeriesBars]) -> None:
    """The rows in the binary format that COPY reads, where the server can read it."""
    with path.open("wb") as sink:
        bars = KeyedBars.from_series(history)
        for piece in encode(bar_tuples(Timeframe.M1, bars, NOW)):
            sink.write(piece)
    path.chmod(0o644)


def run_as_administrator(server: BenchmarkServer, statement: str) -> None:
    """Run what the ordinary account may not, in a transaction of its own."""
    url = make_url(server.admin_url).set(
        database=server.database.engine.url.database, drivername="postgresql+psycopg2"
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def register(session: Session) -> UUID:
    """A run and the markets whose keys the history uses."""
    run_id = uuid4()
    session.add(
        ConfigurationHistory(
            run_id=run_id,
            process="benchmark",
            configuration={},
            sha256="0" * 64,
            code_version="0",
            started_at=START,
        )
    )
    session.flush()
    for key in range(1, SERIES + 1):
        session.add(
            Cryptocurrency(
                id=key,
                exchange="replay",
                symbol=f"C{key}/USDT",
                exchange_symbol=f"C{key}USDT",
                base=f"C{key}",
                quote="USDT",
                status=MarketStatus.TRADING,
                first_seen_at=START,
                last_seen_at=START,
                run_id=run_id,
            )
        )
    return run_id


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AppError as error:
        console.print(f"[red]{error}[/]")
        sys.exit(int(error.exit_code))
