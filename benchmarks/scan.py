"""How fast a strategy scans 500 symbols, next to the bare reading of their bars.

Run by `make bench`. The scan is what `OpportunityScanner` does at each close: read
every member's window in one query, then judge each one. The reference is a SELECT
of the same rows into Python; binary COPY of them, undecoded, is printed as the least
PostgreSQL itself takes. All come from the same run, table and server, in turn.
Exits 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import gc
import io
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from statistics import median
from uuid import UUID, uuid4

import numpy as np
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.config.settings import Settings
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import AppError
from app.domain.decision import ReasonCode
from app.domain.market import MarketStatus
from app.models import (
    ConfigurationHistory,
    Cryptocurrency,
    ScanCursor,
    SeriesCursor,
    Signal,
    UniverseMembership,
)
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds
from app.models.ingest import store_bars
from app.services.scanning import OpportunityScanner
from app.services.windows import read_candle_windows
from app.strategies.base import BaseStrategy
from app.strategies.momentum import MomentumStrategy
from benchmarks.support import (
    Aim,
    benchmark_database,
    console,
    judge,
    run_outside_transaction,
)

SYMBOLS = 500
# Bars of each series that one transaction stores, as a collector does that catches up.
_STORED_TOGETHER = 20
_START = datetime(2025, 1, 1, tzinfo=timezone.utc)
_EXCHANGE = "replay"
_SELECT = (
    "SELECT cryptocurrency_id, timestamp, open, high, low, close, volume"
    " FROM market_data WHERE cryptocurrency_id = ANY (%s)"
    " AND timeframe = %s::timeframe AND timestamp BETWEEN %s AND %s"
)
_USEFUL_REFUSALS = frozenset(ReasonCode) - {
    ReasonCode.SHORT_HISTORY,
    ReasonCode.STALE_DATA,
    ReasonCode.GAP_IN_WINDOW,
}
_monotonic = SystemClock().monotonic


class Bench:
    """The pieces of work that are timed, on one filled database."""

    def __init__(
        self,
        database: Database,
        strategy: BaseStrategy,
        run_id: UUID,
        close_at: datetime,
    ) -> None:
        self._database = database
        self._strategy = strategy
        self._close_at = close_at
        self._bar_at = strategy.timeframe.shift(close_at, -1)
        self._scanner = OpportunityScanner(_EXCHANGE, strategy, Settings(), run_id)
        with database.session_scope() as session:
            self._members = UniverseMembership.get_members_at(
                session, _EXCHANGE, close_at
            )
            session.expunge_all()

    @property
    def rows(self) -> int:
        """Bars that one scan reads."""
        return len(self._members) * self._strategy.window_bars

    def select(self) -> None:
        """Fetch the rows as Python tuples: what a bare SELECT costs a program."""
        with self._database.session_scope() as session:
            cursor = session.connection().connection.cursor()
            cursor.execute(_SELECT, self._parameters())
            assert len(cursor.fetchall()) == self.rows

    def copy_out(self) -> None:
        """Receive the rows in binary and leave them undecoded."""
        with self._database.session_scope() as session:
            cursor = session.connection().connection.cursor()
            query = cursor.mogrify(_SELECT, self._parameters()).decode()
            cursor.copy_expert(
                f"COPY ({query}) TO STDOUT (FORMAT binary)", io.BytesIO()
            )

    def read(self) -> None:
        """Read the windows, as the scanner does."""
        assert len(self._windows()) == len(self._members)

    def scan(self) -> None:
        """Read the windows and judge each of them."""
        windows = self._windows()
        for market in self._members:
            decision = self._strategy.evaluate(windows[market.id], self._bar_at)
            assert decision.reason in _USEFUL_REFUSALS

    def scan_and_record(self) -> None:
        """The scanner's whole transaction; undone, so that it can be repeated."""
        with self._database.session_scope() as session:
            result = self._scanner.scan_next(session, self._close_at)
            assert result.judged_at == self._close_at
            assert session.query(Signal).count() == len(self._members)
            session.rollback()

    def _windows(self) -> dict[int, CandleWindow]:
        with self._database.session_scope() as session:
            return read_candle_windows(
                session,
                self._members,
                self._strategy.timeframe,
                self._bar_at,
                self._strategy.window_bars,
            )

    def _parameters(self) -> tuple[list[int], str, datetime, datetime]:
        timeframe, bars = self._strategy.timeframe, self._strategy.window_bars
        first = timeframe.shift(self._bar_at, 1 - bars)
        keys = [market.id for market in self._members]
        return keys, timeframe.value, first, self._bar_at


def main() -> int:
    """Fill a database, measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bars", type=int, default=2000, help="bars stored a symbol")
    parser.add_argument("--rounds", type=int, default=5, help="runs; the median counts")
    parser.add_argument("--url", default="", help="an empty database to use instead")
    arguments = parser.parse_args()
    strategy = MomentumStrategy(Settings().strategies.momentum)
    if arguments.bars < strategy.window_bars or arguments.rounds < 1:
        parser.error(
            f"--bars must be at least {strategy.window_bars}, --rounds at least 1"
        )
    with benchmark_database(arguments.url) as database:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("storing", total=arguments.bars)

            def tick(bars: int) -> None:
                progress.advance(task, bars)

            run_id = fill(database, strategy, arguments.bars, tick)
        close_at = strategy.timeframe.shift(_START, arguments.bars)
        bench = Bench(database, strategy, run_id, close_at)
        work = {
            "bare SELECT, fetchall": bench.select,
            "binary COPY, undecoded": bench.copy_out,
            "read the windows": bench.read,
            "scan: read and judge": bench.scan,
            "scan and record, all of it": bench.scan_and_record,
        }
        seconds = measure(work, arguments.rounds)
    report(seconds, bench.rows, arguments.bars * SYMBOLS)
    bare, scan = seconds["bare SELECT, fetchall"], seconds["scan: read and judge"]
    whole = seconds["scan and record, all of it"]
    return judge(
        [
            Aim(f"seconds to scan {SYMBOLS} symbols", scan, 1.0, False),
            Aim("scan over bare SELECT", scan / bare, 2.0, False),
            Aim("seconds to scan and record", whole, 1.0, False),
        ]
    )


def measure(work: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each; they take turns, so that disturbances meet them all."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, run in work.items():
            gc.collect()
            started = _monotonic()
            run()
            if number:  # the first round fills the caches
                taken[name].append(_monotonic() - started)
    return {name: median(times) for name, times in taken.items()}


def report(seconds: dict[str, float], rows: int, stored: int) -> None:
    """Print the medians beside the first of them."""
    reference = next(iter(seconds.values()))
    table = Table(
        title=f"Scanning {SYMBOLS} symbols: {rows:,} of {stored:,} bars",
        title_justify="left",
    )
    for heading in ("", "seconds (median)", "rows/s", "time over bare SELECT"):
        table.add_column(
            heading, justify="left" if not heading else "right", no_wrap=True
        )
    for name, taken in seconds.items():
        table.add_row(
            name, f"{taken:.3f}", f"{rows / taken:,.0f}", f"{taken / reference:.2f}"
        )
    console.print(table)


def fill(
    database: Database, strategy: BaseStrategy, bars: int, tick: Callable[[int], None]
) -> UUID:
    """Store markets, their bars, and everything that makes the last close due."""
    timeframe = strategy.timeframe
    end = timeframe.shift(_START, bars)
    with database.session_scope() as session:
        run_id = add_run(session)
        keys = [add_market(session, run_id, n) for n in range(SYMBOLS)]
        for key in keys:
            session.add(
                SeriesCursor(
                    cryptocurrency_id=key,
                    timeframe=timeframe,
                    history_from=_START,
                    watermark_at=end,
                    run_id=run_id,
                )
            )
        session.add(
            ScanCursor(
                strategy=strategy.name,
                timeframe=timeframe,
                inception_at=_START,
                evaluated_through=timeframe.shift(end, -1),
                run_id=run_id,
            )
        )
    step = int(timeframe.duration.total_seconds() * 1_000_000)
    history = [_random_walk(key, bars, step) for key in keys]
    for start in range(0, bars, _STORED_TOGETHER):  # in order of time, as collected
        part = slice(start, start + _STORED_TOGETHER)
        with database.session_scope() as session:
            batches = [
                SeriesBars(key, timeframe, walk[part])
                for key, walk in zip(keys, history, strict=True)
            ]
            store_bars(session, batches, end)
        tick(_STORED_TOGETHER)
    run_outside_transaction(database, "VACUUM ANALYZE market_data")
    return run_id


def add_run(session: Session) -> UUID:
    """A stored run; its id."""
    run_id = uuid4()
    session.add(
        ConfigurationHistory(
            run_id=run_id,
            process="benchmark",
            configuration={},
            sha256="0" * 64,
            code_version="0",
            started_at=_START,
        )
    )
    session.flush()
    return run_id


def add_market(session: Session, run_id: UUID, number: int) -> int:
    """A stored market that is a member of the universe; its key."""
    market = Cryptocurrency(
        exchange=_EXCHANGE,
        symbol=f"C{number:03}/USDT",
        exchange_symbol=f"C{number:03}USDT",
        base=f"C{number:03}",
        quote="USDT",
        status=MarketStatus.TRADING,
        first_seen_at=_START,
        last_seen_at=_START,
        run_id=run_id,
    )
    session.add(market)
    session.flush()
    session.add(
        UniverseMembership(
            cryptocurrency_id=market.id,
            admitted=True,
            reasons=[],
            figures={},
            valid_from=_START - timedelta(days=1),
            run_id=run_id,
        )
    )
    return market.id


def _random_walk(key: int, bars: int, step_us: int) -> np.ndarray:
    """Bars of one series: a walk with a drift of its own, so that rules disagree."""
    rng = np.random.default_rng(key)
    steps = rng.normal(rng.normal(0, 2e-4), 2e-3, bars)
    walk = np.empty(bars, BAR_DTYPE)
    close = 100 * np.exp(np.cumsum(steps))
    walk["open_at"] = to_microseconds(_START) + np.arange(bars) * step_us
    walk["close"] = close
    walk["open"] = np.append(close[:1], close[:-1])
    walk["high"] = np.maximum(walk["open"], close) * 1.0005
    walk["low"] = np.minimum(walk["open"], close) * 0.9995
    walk["volume"] = rng.gamma(2, 10, bars)
    return walk


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AppError as error:
        console.print(f"[red]{error}[/]")
        sys.exit(int(error.exit_code))
