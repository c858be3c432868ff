"""What a minute costs in a table of ten million bars, next to a bare COPY.

Run by `make bench`. Every minute 500 series have a new bar. Storing them means
comparing, upserting, the gap ledger, the cursors and the commit; the reference is the
same rows, encoded beforehand, through COPY into an equal table, and the commit. The
two take turns on one server with its default durability. On the same table: reading
a market's day as of an instant, `crypto-bot coverage`, and bytes per bar. Exits 1 if
an aim is missed.
"""

from __future__ import annotations

import argparse
import gc
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import text

from app.config.settings import CollectorSettings
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import AppError
from app.domain.timeframe import Timeframe
from app.models import SeriesCursor
from app.models.as_of import read_as_of
from app.models.bar_copy import COLUMNS, bar_tuples, copy_bars
from app.models.bars import BAR_DTYPE, VALUES, SeriesBars
from app.models.binary_copy import encode
from app.models.keyed_bars import KeyedBars
from app.models.knowledge import publish_horizon
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from app.services.coverage import read_coverage
from app.services.coverage_check import verify_coverage
from benchmarks.ingest import START, make_history, make_reference
from benchmarks.scan import add_market, add_run
from benchmarks.support import (
    Aim,
    benchmark_database,
    console,
    judge,
    run_outside_transaction,
)

SERIES = 500
_SERIES_TOGETHER = 25
_DAY_BARS = 1_440
_COVERAGE_READS = 9
_KNOWN_AT = START - timedelta(days=1)
_monotonic = SystemClock().monotonic


@dataclass(frozen=True)
class Stored:
    """A filled database, and the bars of the minutes still to come."""

    database: Database
    run_id: UUID
    keys: list[int]
    minutes: KeyedBars
    now: datetime

    def minute(self, number: int) -> KeyedBars:
        """The bars of one minute, a bar a series."""
        per_series = len(self.minutes) // len(self.keys)
        at = np.arange(len(self.keys)) * per_series + number
        part = self.minutes
        values = np.ascontiguousarray(part.values[:, at])
        return KeyedBars(part.ids[at], part.opens[at], values)


def main() -> int:
    """Fill a database, measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bars", type=int, default=20_000, help="stored a series")
    parser.add_argument("--minutes", type=int, default=300, help="minutes measured")
    parser.add_argument("--reads", type=int, default=200, help="as-of reads measured")
    parser.add_argument("--url", default="", help="an empty database to use instead")
    arguments = parser.parse_args()
    if arguments.bars < 2 * _DAY_BARS or min(arguments.minutes, arguments.reads) < 20:
        parser.error(f"--bars must be at least {2 * _DAY_BARS}, the others 20")
    with benchmark_database(arguments.url) as database:
        with Progress(console=console, transient=True) as progress:
            steps = SERIES + arguments.minutes
            task = progress.add_task("measuring", total=steps)

            def tick(steps: int = 1) -> None:
                progress.advance(task, steps)

            stored = fill(database, arguments.bars, arguments.minutes, tick)
            aims = measure_minutes(stored, arguments.minutes, tick)
        aims += measure_as_of(stored, arguments.bars, arguments.reads)
        aims += measure_coverage(stored)
        aims += measure_bytes(database)
    return judge(aims)


def fill(
    database: Database, bars: int, minutes: int, tick: Callable[[int], None]
) -> Stored:
    """Back-fill `bars` bars a series into `market_data` and into an equal table."""
    with database.session_scope() as session:
        run_id = add_run(session)
        keys = [add_market(session, run_id, number) for number in range(SERIES)]
        end = START + timedelta(minutes=bars)
        make_reference(session, end + timedelta(minutes=minutes))
        for key in keys:
            session.add(
                SeriesCursor(
                    cryptocurrency_id=key,
                    timeframe=Timeframe.M1,
                    history_from=START,
                    watermark_at=end,
                    first_bar_at=START,
                    last_bar_at=end - timedelta(minutes=1),
                    bars=bars,
                    run_id=run_id,
                )
            )
    coming = []
    for first in range(0, SERIES, _SERIES_TOGETHER):
        walks = make_history(_SERIES_TOGETHER, bars + minutes)
        mine = keys[first : first + _SERIES_TOGETHER]
        both = [(key, walk.bars) for key, walk in zip(mine, walks, strict=True)]
        batch = [SeriesBars(key, Timeframe.M1, walk[:bars]) for key, walk in both]
        coming += [SeriesBars(key, Timeframe.M1, walk[bars:]) for key, walk in both]
        with database.session_scope() as session:
            for table in ("market_data", "reference"):
                sorted_bars = KeyedBars.from_series(batch)
                copy_bars(session, Timeframe.M1, sorted_bars, _KNOWN_AT, table)
        tick(_SERIES_TOGETHER)
    run_outside_transaction(database, "VACUUM ANALYZE")
    return Stored(database, run_id, keys, KeyedBars.from_series(coming), end)


def measure_minutes(
    stored: Stored, minutes: int, tick: Callable[[int], None]
) -> list[Aim]:
    """Store minute after minute, and COPY the same rows into the other table."""
    ledger = Ledger(stored.run_id, CollectorSettings().recheck_delays_seconds)
    seconds: dict[str, list[float]] = {"COPY": [], "Ledger.store": []}
    for number in range(minutes):
        bars = stored.minute(number)
        now = stored.now + timedelta(minutes=number + 1, seconds=2)
        slices = make_slices(bars, now)
        stream = b"".join(encode(bar_tuples(Timeframe.M1, bars, now)))
        work: dict[str, Callable[[], None]] = {
            "COPY": lambda: copy_raw(stored.database, stream),
            "Ledger.store": lambda: store(stored.database, ledger, slices, now),
        }
        # Whoever comes second finds the disk as the first one left it.
        for name in sorted(work, reverse=bool(number % 2)):
            gc.collect()
            started = _monotonic()
            work[name]()
            seconds[name].append(_monotonic() - started)
        tick(1)
    report_minutes(seconds)
    (copy_p50, copy_p99), (p50, p99) = (
        np.percentile(seconds[name], [50, 99]) for name in ("COPY", "Ledger.store")
    )
    return [
        Aim("minute p50 over COPY p50", p50 / copy_p50, 3.0, False),
        Aim("minute p99 over COPY p99", p99 / copy_p99, 6.0, False),
        Aim("minute p99 over COPY p50", p99 / copy_p50, 6.0, False),
    ]


def make_slices(bars: KeyedBars, now: datetime) -> list[SeriesSlice]:
    """What the exchange's answers of one minute become before they are stored."""
    slices = []
    open_at = now.replace(second=0) - timedelta(minutes=1)
    for key, at in bars.series():
        one = np.empty(1, BAR_DTYPE)
        one["open_at"] = bars.opens[at]
        for name, column in zip(VALUES, bars.values[:, at], strict=True):
            one[name] = column
        slices.append(
            SeriesSlice(
                cryptocurrency_id=key,
                timeframe=Timeframe.M1,
                bars=one,
                answered_from=open_at,
                answered_until=open_at + timedelta(minutes=1),
                counts_as_answer=True,
                read_at=now,
                expected_from=open_at,
            )
        )
    return slices


def store(
    database: Database, ledger: Ledger, slices: list[SeriesSlice], now: datetime
) -> None:
    """The collector's transaction."""
    with database.session_scope() as session:
        stored = ledger.store(session, slices, now)
    assert stored.inserted == len(slices)


def copy_raw(database: Database, stream: bytes) -> None:
    """The least that PostgreSQL takes for the same rows."""
    with database.session_scope() as session:
        session.connection().connection.cursor().copy_expert(
            f"COPY reference ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)",
            io.BytesIO(stream),
            1 << 18,
        )


def measure_as_of(stored: Stored, bars: int, reads: int) -> list[Aim]:
    """Read random days of random markets as they were known."""
    rng = np.random.default_rng(11)
    at = stored.now
    with stored.database.session_scope() as session:
        publish_horizon(session, at + timedelta(days=30))
    seconds = []
    for _ in range(reads):
        key = int(rng.choice(stored.keys))
        first = int(rng.integers(0, bars - _DAY_BARS))
        start = START + timedelta(minutes=first)
        end = start + timedelta(minutes=_DAY_BARS)
        started = _monotonic()
        with stored.database.session_scope() as session:
            found = read_as_of(session, at, key, Timeframe.M1, start, end)
        seconds.append(_monotonic() - started)
        assert len(found) == _DAY_BARS
    p95 = float(np.percentile(seconds, 95)) * 1e3
    return [Aim("milliseconds to read a day as of an instant, p95", p95, 50.0, False)]


def measure_coverage(stored: Stored) -> list[Aim]:
    """Account for every slot, as `crypto-bot coverage` does."""
    seconds = []
    for _ in range(_COVERAGE_READS):
        started = _monotonic()
        with stored.database.session_scope() as session:
            report = read_coverage(session, stored.now + timedelta(days=1))
        seconds.append(_monotonic() - started)
        assert report.total.accounted_percent == 100.0
    with stored.database.session_scope() as session:
        started = _monotonic()
        faults = verify_coverage(session)
        taken = _monotonic() - started
    assert not faults, faults
    console.print(f"coverage --verify counted every bar in {taken:.1f} seconds")
    middle = float(np.median(seconds)) * 1e3
    return [Aim("milliseconds of coverage", middle, 100.0, False)]


def measure_bytes(database: Database) -> list[Aim]:
    """Bytes of heap, index and the rest, for each bar."""
    query = text("""
        SELECT sum(pg_relation_size(inhrelid)), sum(pg_indexes_size(inhrelid)),
               sum(pg_total_relation_size(inhrelid)),
               (SELECT count(*) FROM market_data)
        FROM pg_inherits WHERE inhparent = 'market_data'::regclass
        """)
    with database.session_scope() as session:
        heap, index, total, bars = session.execute(query).one()
    console.print(
        f"{bars:,} bars: {heap / bars:.1f} bytes of heap and {index / bars:.1f} of"
        " index each"
    )
    return [Aim("bytes per bar, index included", float(total / bars), 130.0, False)]


def report_minutes(seconds: dict[str, list[float]]) -> None:
    """Print percentiles of each in milliseconds."""
    table = Table(title=f"Storing a minute of {SERIES} series", title_justify="left")
    for heading in ("milliseconds", "p50", "p90", "p99", "most"):
        is_name = heading == "milliseconds"
        table.add_column(heading, justify="left" if is_name else "right")
    for name, taken in seconds.items():
        figures = np.percentile(taken, [50, 90, 99, 100]) * 1e3
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    console.print(table)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AppError as error:
        console.print(f"[red]{error}[/]")
        sys.exit(int(error.exit_code))
