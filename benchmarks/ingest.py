"""How fast bars are stored and read, next to what PostgreSQL itself manages.

Run by `make bench`. Figures that are compared come from the same run, rows and
server, so the ratios carry over to other machines. Exits 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import numpy as np
from rich.progress import Progress
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.exceptions import AppError
from app.domain.timeframe import Timeframe
from app.models import MarketData
from app.models.bar_copy import COLUMNS, bar_tuples
from app.models.bars import BAR_DTYPE, to_microseconds
from app.models.binary_copy import encode
from app.models.ingest import SeriesBars, store_bars
from app.models.keyed_bars import KeyedBars
from app.models.partitions import ensure_partitions
from benchmarks.support import (
    Aim,
    Figure,
    benchmark_database,
    best_seconds,
    console,
    judge,
    report,
    run_outside_transaction,
)

BACKFILL_SERIES = 10
WINDOW_SERIES = 500
WINDOW_BARS = 300
STORED_BARS = 900
START = datetime(2025, 1, 1, tzinfo=timezone.utc)
KNOWN_AT = datetime(2026, 1, 1, tzinfo=timezone.utc)
_MINUTE_US = 60_000_000


def main() -> int:
    """Measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=600_000, help="bars back-filled")
    parser.add_argument("--rounds", type=int, default=3, help="tries; the best counts")
    parser.add_argument("--url", default="", help="an empty database to use instead")
    arguments = parser.parse_args()
    if arguments.rows < BACKFILL_SERIES or arguments.rounds < 1:
        parser.error(f"--rows must be at least {BACKFILL_SERIES}, --rounds at least 1")
    with Progress(console=console, transient=True) as progress:
        steps = 5 * arguments.rounds + STORED_BARS // 10
        task = progress.add_task("measuring", total=steps)

        def tick() -> None:
            progress.advance(task)

        with benchmark_database(arguments.url) as database:
            aims = measure_backfill(database, arguments.rows, arguments.rounds, tick)
            aims += measure_windows(database, arguments.rounds, tick)
    return judge(aims)


def measure_backfill(
    database: Database, rows: int, rounds: int, tick: Callable[[], None]
) -> list[Aim]:
    """Store a history into an empty table, and once more when it is all there."""
    history = make_history(BACKFILL_SERIES, rows // BACKFILL_SERIES)
    rows = sum(len(series.bars) for series in history)
    with database.session_scope() as session:
        make_reference(session, START + timedelta(minutes=rows // BACKFILL_SERIES))
    stream = b"".join(
        encode(bar_tuples(Timeframe.M1, KeyedBars.from_series(history), KNOWN_AT))
    )

    def copy_raw() -> None:
        with database.session_scope() as session:
            session.connection().connection.cursor().copy_expert(
                f"COPY reference ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)",
                io.BytesIO(stream),
                1 << 18,
            )

    def store() -> None:
        with database.session_scope() as session:
            store_bars(session, history, KNOWN_AT)

    def empty(table: str) -> Callable[[], None]:
        def prepare() -> None:
            tick()
            run_outside_transaction(database, f"TRUNCATE {table}")

        return prepare

    raw = Figure(
        "raw binary COPY FROM", rows, best_seconds(rounds, copy_raw, empty("reference"))
    )
    fresh = Figure(
        "store_bars, none stored yet",
        rows,
        best_seconds(rounds, store, empty("market_data")),
    )
    run_outside_transaction(database, "VACUUM ANALYZE market_data")
    again = Figure(
        "store_bars, all stored unchanged", rows, best_seconds(rounds, store, tick)
    )
    title = f"Storing {rows:,} one-minute bars of {BACKFILL_SERIES} series"
    report(title, [fresh, again], raw)
    return [
        Aim("new bars over raw COPY", raw.seconds / fresh.seconds, 0.35, True),
        Aim("unchanged bars over raw COPY", raw.seconds / again.seconds, 0.5, True),
    ]


def measure_windows(
    database: Database, rounds: int, tick: Callable[[], None]
) -> list[Aim]:
    """Read the newest bars of every series, as a strategy's scan does."""
    run_outside_transaction(database, "TRUNCATE market_data")
    history = make_history(WINDOW_SERIES, STORED_BARS)
    for start in range(0, STORED_BARS, 10):  # in order of time, as they are collected
        part = slice(start, start + 10)
        with database.session_scope() as session:
            batches = [
                SeriesBars(s.cryptocurrency_id, s.timeframe, s.bars[part])
                for s in history
            ]
            store_bars(session, batches, KNOWN_AT)
        tick()
    run_outside_transaction(database, "VACUUM ANALYZE market_data")
    keys = [series.cryptocurrency_id for series in history]
    until = START + timedelta(minutes=STORED_BARS - 1)
    first = until - timedelta(minutes=WINDOW_BARS - 1)

    def select() -> None:
        with database.session_scope() as session:
            cursor = session.connection().connection.cursor()
            cursor.execute(
                "SELECT cryptocurrency_id, timestamp, open, high, low, close, volume"
                " FROM market_data WHERE cryptocurrency_id = ANY (%s)"
                " AND timeframe = '1m' AND timestamp BETWEEN %s AND %s",
                (keys, first, until),
            )
            assert len(cursor.fetchall()) == WINDOW_SERIES * WINDOW_BARS

    def read() -> None:
        with database.session_scope() as session:
            windows = MarketData.get_for_indicators(
                session, keys, Timeframe.M1, until, WINDOW_BARS
            )
        assert len(windows) == WINDOW_SERIES

    rows = WINDOW_SERIES * WINDOW_BARS
    bare = Figure("bare SELECT", rows, best_seconds(rounds, select, tick))
    windows = Figure("get_for_indicators", rows, best_seconds(rounds, read, tick))
    title = f"Reading {WINDOW_BARS} of {STORED_BARS} bars of {WINDOW_SERIES} series"
    report(title, [windows], bare)
    return [
        Aim("seconds to read the windows", windows.seconds, 1.0, False),
        Aim("windows over bare SELECT", windows.seconds / bare.seconds, 2.0, False),
    ]


def make_history(series: int, bars_each: int) -> list[SeriesBars]:
    """One-minute bars of random walks, ascending, as an exchange serves them."""
    rng = np.random.default_rng(7)
    opens = to_microseconds(START) + np.arange(bars_each) * _MINUTE_US
    history = []
    for key in range(1, series + 1):
        bars = np.empty(bars_each, BAR_DTYPE)
        close = 100 * key * np.exp(np.cumsum(rng.normal(0, 1e-4, bars_each)))
        bars["open_at"], bars["close"] = opens, close
        bars["open"] = np.append(close[:1], close[:-1])
        bars["high"] = np.maximum(bars["open"], close) * 1.0001
        bars["low"] = np.minimum(bars["open"], close) * 0.9999
        bars["volume"] = rng.gamma(2, 10, bars_each)
        history.append(SeriesBars(key, Timeframe.M1, bars))
    return history


def make_reference(session: Session, end: datetime) -> None:
    """A table like `market_data`: same columns, checks, key and partitions."""
    ensure_partitions(session, "market_data", START, end)
    session.execute(
        text(
            "CREATE TABLE reference (LIKE market_data INCLUDING ALL)"
            " PARTITION BY RANGE (timestamp)"
        )
    )
    partitions = session.execute(
        text(
            "SELECT relname, pg_get_expr(relpartbound, pg_class.oid)"
            " FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
            " WHERE inhparent = CAST('market_data' AS regclass)"
        )
    )
    for name, bounds in partitions.all():
        session.execute(
            text(f"CREATE TABLE reference_{name} PARTITION OF reference {bounds}")
        )
        session.execute(
            text(f"ALTER INDEX reference_{name}_pkey SET (fillfactor = 100)")
        )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AppError as error:
        console.print(f"[red]{error}[/]")
        sys.exit(int(error.exit_code))
