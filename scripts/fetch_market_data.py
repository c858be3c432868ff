#!/usr/bin/env python
"""Fetch closed bars of one market from the configured exchange, show and store them.

With `exchange.id: replay` the replay market is started for the duration, unless one
answers already. Exit codes: 0 done; 2 wrong argument or unknown symbol; 69 database
unavailable; 75 exchange unavailable; 78 configuration or missing migration.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.progress import Progress  # noqa: E402
from rich.table import Table  # noqa: E402

from app.bootstrap import (  # noqa: E402
    begin_run,
    build_clock,
    load_settings,
    open_database,
    open_exchange,
    replay_url,
)
from app.cli.replay import market_for_script  # noqa: E402
from app.config.settings import Settings  # noqa: E402
from app.core.clock import Clock  # noqa: E402
from app.core.database import Database  # noqa: E402
from app.core.exceptions import AppError, ExitCode  # noqa: E402
from app.domain.market import Market  # noqa: E402
from app.domain.timeframe import Timeframe  # noqa: E402
from app.exchange.budget import BACKFILL_RESERVE  # noqa: E402
from app.exchange.replies import CandlePage  # noqa: E402
from app.exchange.service import ExchangeService  # noqa: E402
from app.models.bars import (  # noqa: E402
    BAR_DTYPE,
    from_microseconds,
    to_microseconds,
)
from app.services.backfill.stretches import Range  # noqa: E402
from app.services.collection.answers import bars_of  # noqa: E402
from app.services.market_history import (  # noqa: E402
    store_history,
    stretch_to_store,
    windows_to_store,
)
from app.services.quarantine.replies import opened_for_run  # noqa: E402
from app.services.runs import end_run  # noqa: E402

_DEFAULT_BARS = 100
_SHOWN_BARS = 30
_COUNTS = ("inserted", "revised", "unchanged", "gap_slots")
_COLUMNS = ("open_at", "open", "high", "low", "close", "volume")
_notes = Console(stderr=True, highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Fetch, show, store; the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        settings = load_settings(arguments.config)
        with market_for_script(settings, arguments.config):
            clock = build_clock(settings)
            span = _stretch(parser, arguments, clock.now())
            has_all = arguments.json or arguments.csv
            shown = ShownBars(*span, None if has_all else _SHOWN_BARS)
            if arguments.store:
                with open_database(settings, "fetch_market_data") as database:
                    _fetch_and_store(settings, clock, database, arguments, shown)
            else:
                # Without a database it counts its requests by itself.
                service = ExchangeService(
                    settings.exchange, clock, replay_url(settings)
                )
                asyncio.run(_fetch(service, settings, arguments, [span], shown))
    except AppError as error:
        print(f"fetch_market_data: {error}", file=sys.stderr)
        return int(error.exit_code)
    _show(arguments, shown)
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("symbol", help="for example BTC/USDT")
    parser.add_argument(
        "--timeframe",
        type=_timeframe,
        default=Timeframe.H1,
        help=f"one of {', '.join(Timeframe)} (default 1h)",
    )
    parser.add_argument(
        "--since",
        type=_moment,
        help=f"first open time, UTC: 2025-01-01 or 2025-01-01T12:00 (default: the "
        f"newest {_DEFAULT_BARS} bars)",
    )
    parser.add_argument(
        "--until", type=_moment, help="bars open before this, UTC (default: now)"
    )
    parser.add_argument("--limit", type=_count, help="at most this many bar slots")
    parser.add_argument("--store", action="store_true", help="store in the database")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, no table")
    form.add_argument("--csv", action="store_true", help="print CSV, no table")
    parser.add_argument("--config", type=Path, help="configuration file")
    return parser


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of {', '.join(Timeframe)}"
        ) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date such as 2025-01-01 or 2025-01-01T12:00+00:00"
        ) from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _stretch(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, now: datetime
) -> tuple[datetime, datetime]:
    """First open time, and the one that no bar reaches any more."""
    timeframe = arguments.timeframe
    end = min(timeframe.ceil(arguments.until or now), timeframe.floor(now))
    bars = arguments.limit or _DEFAULT_BARS
    if arguments.since is None:
        return timeframe.shift(end, -bars), end
    start = timeframe.ceil(arguments.since)
    if start >= end:
        parser.error(
            f"no {timeframe} bar closes between --since ({start:%Y-%m-%d %H:%M}) and "
            f"{end:%Y-%m-%d %H:%M}; it is {now:%Y-%m-%d %H:%M} UTC at the market"
        )
    if arguments.limit:
        end = min(end, timeframe.shift(start, arguments.limit))
    return start, end


class ShownBars:
    """Of the bars that open in [start, end), the newest `most` (None: all)."""

    def __init__(self, start: datetime, end: datetime, most: int | None) -> None:
        self.start, self.end, self.count = start, end, 0
        self._bounds = (to_microseconds(start), to_microseconds(end))
        self._most = most
        self._parts: list[NDArray[np.void]] = []

    def add(self, page: CandlePage) -> None:
        """Note what a page has of them; pages come in any order, each once."""
        bars = bars_of([page])
        first, stop = np.searchsorted(bars["open_at"], self._bounds)
        self._parts.append(bars[first:stop])
        self.count += int(stop - first)
        if self._most is not None:
            self._parts = [self._sorted()[-self._most :]]

    def rows(self) -> Iterator[tuple[datetime, float, float, float, float, float]]:
        """Open time, open, high, low, close and volume, oldest first."""
        for open_at, *values in self._sorted().tolist():
            yield from_microseconds(open_at), *values

    def _sorted(self) -> NDArray[np.void]:
        bars = np.concatenate([np.empty(0, BAR_DTYPE), *self._parts])
        return bars[np.argsort(bars["open_at"])]


async def _fetch(
    exchange: ExchangeService | AbstractAsyncContextManager[ExchangeService],
    settings: Settings,
    arguments: argparse.Namespace,
    windows: Sequence[Range],
    shown: ShownBars,
    store: Callable[[Market, list[CandlePage]], None] | None = None,
) -> None:
    """Fetch window after window; what `store` was given is not held any longer."""
    timeframe = arguments.timeframe
    slots = sum(timeframe.count_bars(*window) for window in windows)
    page_limit = settings.collector.page_limit
    hidden = slots <= page_limit
    with Progress(console=_notes, transient=True, disable=hidden) as progress:
        task = progress.add_task(escape(f"{arguments.symbol} {timeframe}"), total=slots)
        async with exchange as opened:
            market = await opened.fetch_market(arguments.symbol)
            for start, end in windows:
                pages = []
                async for page in opened.fetch_history(
                    market.symbol, timeframe, start, end, page_limit
                ):
                    shown.add(page)
                    if store is not None:
                        pages.append(page)
                    done = timeframe.count_bars(page.since, page.covered_until)
                    progress.advance(task, done)
                if store is not None and pages:
                    store(market, pages)


def _fetch_and_store(
    settings: Settings,
    clock: Clock,
    database: Database,
    arguments: argparse.Namespace,
    shown: ShownBars,
) -> None:
    series = settings.exchange.id, arguments.symbol, arguments.timeframe
    run_id = begin_run(settings, database, clock, "fetch_market_data")
    counts: Counter[str] = Counter()

    def store(market: Market, pages: list[CandlePage]) -> None:
        with database.session_scope() as session:
            grace = settings.collector.tail_grace_seconds
            stored = store_history(session, market, pages, grace, clock.now(), run_id)
        counts.update({name: getattr(stored, name) for name in _COUNTS})

    try:
        with database.session_scope() as session:
            wide = stretch_to_store(session, *series, shown.start, shown.end)
            windows = windows_to_store(session, *series, wide)
        if wide != (shown.start, shown.end):
            _notes.print(
                f"[dim]fetching {wide[0]:%Y-%m-%d %H:%M} to {wide[1]:%Y-%m-%d %H:%M}, "
                "so that no hole is left beside the bars stored already[/]"
            )
        service = open_exchange(settings, clock, database, BACKFILL_RESERVE)
        opened = opened_for_run(service, database, clock, run_id)
        asyncio.run(_fetch(opened, settings, arguments, windows, shown, store))
    finally:
        with database.session_scope() as session:
            end_run(session, run_id, clock.now())
    _notes.print(
        f"stored: {counts['inserted']:,} new bars, {counts['revised']:,} corrected, "
        f"{counts['unchanged']:,} unchanged, {counts['gap_slots']:,} slots without a "
        f"bar (run {run_id})"
    )


def _show(arguments: argparse.Namespace, shown: ShownBars) -> None:
    rows = ((open_at.isoformat(), *values) for open_at, *values in shown.rows())
    if arguments.json:
        print(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows]))
    elif arguments.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([_COLUMNS])
        writer.writerows(rows)
    else:
        _print_table(arguments, shown)


def _print_table(arguments: argparse.Namespace, shown: ShownBars) -> None:
    name = escape(f"{arguments.symbol} {arguments.timeframe}")
    table = Table(title=f"{name}: {shown.count:,} closed bars", title_justify="left")
    table.add_column("open time (UTC)", no_wrap=True)
    for column in _COLUMNS[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    for open_at, *values in shown.rows():
        table.add_row(
            f"{open_at:%Y-%m-%d %H:%M}", *(f"{value:.8g}" for value in values)
        )
    Console().print(table)
    if shown.count > _SHOWN_BARS:
        _notes.print(
            f"[dim]the newest {_SHOWN_BARS} are shown; --csv or --json has all[/]"
        )


if __name__ == "__main__":
    sys.exit(main())
