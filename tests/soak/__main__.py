"""Runs every process through simulated hours and watches memory and descriptors.

`make soak` plays 50 markets on 1m through a warm-up and 24 simulated hours, faster
than real time, and fails where the resident memory of a process grows by 1 MiB a
simulated day or more, or its open files do.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from app.config.settings import DatabaseSettings
from app.core.allocator import ALLOCATOR
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.domain.process import ProcessName
from app.models import MarketData, MarketSnapshot, SeriesCursor, Signal
from app.models.schema import upgrade
from tests.database_fixtures import temporary_folder
from tests.processes.stack import Stack, market_time_ms, running_stack

START = datetime(2025, 1, 6, tzinfo=timezone.utc)
MARKETS = 50
MOST_MIB_A_DAY = 1.0
_MIB = 1024 * 1024
_REAL_SECONDS_BETWEEN_LOOKS = 0.5

console = Console()


@dataclass
class Curve:
    """What one process held, by simulated hours."""

    hours: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def growth_a_day(self, since: float) -> float:
        """MiB a simulated day, by Theil-Sen: one late allocation must not decide."""
        hours, mib = (np.array(values) for values in (self.hours, self.mib))
        kept = hours >= since
        hours, mib = hours[kept], mib[kept]
        # A point an hour is plenty, and keeps the number of pairs small.
        step = max(1, len(hours) // 200)
        hours, mib = hours[::step], mib[::step]
        first, second = np.triu_indices(len(hours), 1)
        apart = hours[second] - hours[first]
        slopes = (mib[second] - mib[first])[apart > 1] / apart[apart > 1]
        return float(np.median(slopes)) * 24

    def files_after(self, since: float) -> tuple[float, float]:
        """Median number of open files in the first and the last quarter."""
        files = np.array(self.files)[np.array(self.hours) >= since]
        part = max(1, len(files) // 4)
        return float(np.median(files[:part])), float(np.median(files[-part:]))


def main() -> int:
    """Run, report, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="simulated, watched")
    parser.add_argument("--warm-up", type=float, default=1.0, help="simulated hours")
    parser.add_argument("--curves", default="", help="write what was seen, as JSON")
    parser.add_argument(
        "--speed", type=float, default=400.0, help="simulated seconds a real one"
    )
    arguments = parser.parse_args()
    hours = arguments.warm_up + arguments.hours
    curves, facts = watch(hours, arguments.speed)
    if arguments.curves:
        kept = {name: asdict(curve) for name, curve in curves.items()}
        Path(arguments.curves).write_text(json.dumps(kept))
    failures = report(curves, facts, arguments.warm_up, hours)
    for failure in failures:
        console.print(f"[red]{failure}[/red]")
    return 1 if failures else 0


def watch(hours: float, speed: float) -> tuple[dict[str, Curve], dict[str, int]]:
    """Run the stack for so many simulated hours; what each process held."""
    curves: dict[str, Curve] = {}
    clock = SystemClock()
    with temporary_folder() as data, temporary_folder() as folder:
        access = connect_or_start(ServerLocation(data), server_identity())
        assert access.server is not None
        try:
            upgrade(access.server.url)
            settings = settings_of_the_run(speed)
            with running_stack(access.server.url, folder, settings) as stack:
                stack.start("replay-market")
                for name in ProcessName:
                    stack.start(name.value)
                began = clock.monotonic()
                while (now := simulated_hours(stack)) < hours:
                    look(stack, curves, now)
                    clock.wait(threading.Event(), _REAL_SECONDS_BETWEEN_LOOKS)
                    if clock.monotonic() - began > 4 * 3600 * hours / speed + 120:
                        raise SystemExit(f"soak: stuck at hour {now}\n{stack.logs()}")
                stack.stop()
            return curves, count_rows(access.server.url)
        finally:
            access.server.stop()


def settings_of_the_run(speed: float) -> dict[str, str]:
    """50 markets on 1m for every process."""
    return {
        **ALLOCATOR,
        "CRYPTO_BOT__REPLAY__MARKETS": str(MARKETS + 6),
        "CRYPTO_BOT__REPLAY__SPEED": str(speed),
        "CRYPTO_BOT__REPLAY__START": START.isoformat(),
        "CRYPTO_BOT__REPLAY__HISTORY_DAYS": "3",
        "CRYPTO_BOT__FILTER__MAX_MARKETS": str(MARKETS),
        "CRYPTO_BOT__FILTER__MIN_QUOTE_VOLUME_24H": "0",
        "CRYPTO_BOT__FILTER__MAX_SPREAD_BPS": "1000",
        "CRYPTO_BOT__FILTER__MIN_VOLATILITY_24H": "0",
        "CRYPTO_BOT__COLLECTOR__TIMEFRAMES": '["1m"]',
        # All that a snapshot reads: windows that still fill up would look like growth.
        "CRYPTO_BOT__COLLECTOR__HISTORY_BARS": "2000",
        "CRYPTO_BOT__SNAPSHOT__TIMEFRAMES": '["1m"]',
        "CRYPTO_BOT__STRATEGIES__MOMENTUM__TIMEFRAME": "1m",
        "CRYPTO_BOT__SIMULATION__STEP_TIMEFRAME": "1m",
    }


def simulated_hours(stack: Stack) -> float:
    """How far the market's time is from the start; 0 until it answers."""
    try:
        moment = market_time_ms(stack) / 1000
    except OSError:
        return 0.0
    return (moment - START.timestamp()) / 3600


def look(stack: Stack, curves: dict[str, Curve], now: float) -> None:
    """Note what each process holds at this moment."""
    for name, child in stack.children.items():
        if child.poll() is not None:
            raise SystemExit(
                f"soak: {name} ended with {child.returncode}\n{stack.logs()}"
            )
        process = psutil.Process(child.pid)
        curve = curves.setdefault(name, Curve())
        curve.hours.append(now)
        curve.mib.append(process.memory_info().rss / _MIB)
        curve.files.append(process.num_fds())


def count_rows(url: str) -> dict[str, int]:
    """What the run left, so that an idle run is not taken for a good one."""
    database = Database(DatabaseSettings(), url)
    try:
        with database.session_scope() as session:
            counts = {
                model.__tablename__: session.scalar(
                    select(func.count()).select_from(model)
                )
                or 0
                for model in (MarketData, MarketSnapshot, Signal)
            }
            # A few markets are halted, or leave the universe, on the way.
            middle = func.percentile_disc(0.5).within_group(SeriesCursor.watermark_at)
            newest = session.scalar(select(middle))
        behind = START if newest is None else newest
        return counts | {
            "hours collected": round((behind - START) / timedelta(hours=1))
        }
    finally:
        database.dispose()


def report(
    curves: dict[str, Curve], facts: dict[str, int], warm_up: float, hours: float
) -> list[str]:
    """Print a line a process; what fails."""
    table = Table(title="After the warm-up")
    for column in ("process", "MiB at first", "at last", "MiB a day", "files"):
        table.add_column(column, justify="left" if column == "process" else "right")
    failures = []
    for name, curve in curves.items():
        growth = curve.growth_a_day(warm_up)
        first, last = curve.files_after(warm_up)
        inside = [
            mib for at, mib in zip(curve.hours, curve.mib, strict=True) if at >= warm_up
        ]
        table.add_row(
            name,
            f"{inside[0]:.1f}",
            f"{inside[-1]:.1f}",
            f"{growth:+.2f}",
            f"{first:.0f} -> {last:.0f}",
        )
        if growth >= MOST_MIB_A_DAY:
            failures.append(f"{name} grows by {growth:.2f} MiB a simulated day")
        if last > first + 2:
            failures.append(f"{name}: open files went from {first:.0f} to {last:.0f}")
    console.print(table)
    console.print(", ".join(f"{name} {count:,}" for name, count in facts.items()))
    if facts["hours collected"] < hours - 1:
        failures.append(f"bars were collected to hour {facts['hours collected']} only")
    return failures


if __name__ == "__main__":
    sys.exit(main())
