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
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console  # noqa: E402
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
from app.domain.candle import Candle  # noqa: E402
from app.domain.market import Market  # noqa: E402
from app.domain.timeframe import Timeframe  # noqa: E402
from app.exchange.budget import BACKFILL_RESERVE  # noqa: E402
from app.exchange.replies import CandlePage  # noqa: E402
from app.exchange.service import ExchangeService  # noqa: E402
from app.services.market_history import (  # noqa: E402
    fetch_pages,
    store_history,
    stretch_to_store,
)
from app.services.runs import end_run  # noqa: E402

_DEFAULT_BARS = 100
_SHOWN_BARS = 30
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
            start, end = _stretch(parser, arguments, clock.now())
            if arguments.store:
                with open_database(settings, "fetch_market_data") as database:
                    pages = _fetch_and_store(
                        settings, clock, database, arguments, start, end
                    )
            else:
                # Without a database it counts its requests by itself.
                service = ExchangeService(
                    settings.exchange, clock, replay_url(settings)
                )
                fetching = _fetch(service, settings, arguments, start, end)
                _, pages = asyncio.run(fetching)
    except AppError as error:
        print(f"fetch_market_data: {error}", file=sys.stderr)
        return int(error.exit_code)
    asked = [c for page in pages for c in page.candles if start <= c.open_at < end]
    _show(arguments, asked)
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


async def _fetch(
    service: ExchangeService,
    settings: Settings,
    arguments: argparse.Namespace,
    start: datetime,
    end: datetime,
) -> tuple[Market, list[CandlePage]]:
    timeframe = arguments.timeframe
    slots = timeframe.count_bars(start, end)
    page_limit = settings.collector.page_limit
    hidden = slots <= page_limit
    with Progress(console=_notes, transient=True, disable=hidden) as progress:
        task = progress.add_task(f"{arguments.symbol} {timeframe}", total=slots)

        def advance(page: CandlePage) -> None:
            done = timeframe.count_bars(start, page.covered_until)
            progress.update(task, completed=done)

        async with service as exchange:
            market = await exchange.fetch_market(arguments.symbol)
            pages = await fetch_pages(
                exchange, market.symbol, timeframe, start, end, page_limit, advance
            )
    return market, pages


def _fetch_and_store(
    settings: Settings,
    clock: Clock,
    database: Database,
    arguments: argparse.Namespace,
    start: datetime,
    end: datetime,
) -> list[CandlePage]:
    symbol, timeframe = arguments.symbol, arguments.timeframe
    run_id = begin_run(settings, database, clock, "fetch_market_data")
    with database.session_scope() as session:
        wide = stretch_to_store(
            session, settings.exchange.id, symbol, timeframe, start, end
        )
    if wide != (start, end):
        _notes.print(
            f"[dim]fetching {wide[0]:%Y-%m-%d %H:%M} to {wide[1]:%Y-%m-%d %H:%M}, so "
            "that no hole is left beside the bars stored already[/]"
        )
    service = open_exchange(settings, clock, database, BACKFILL_RESERVE)
    market, pages = asyncio.run(_fetch(service, settings, arguments, *wide))
    with database.session_scope() as session:
        now = clock.now()
        grace = settings.collector.tail_grace_seconds
        stored = store_history(session, market, pages, grace, now, run_id)
        end_run(session, run_id, now)
    _notes.print(
        f"stored: {stored.inserted:,} new bars, {stored.revised:,} corrected, "
        f"{stored.unchanged:,} unchanged, {stored.gap_slots:,} slots without a bar "
        f"(run {run_id})"
    )
    return pages


def _show(arguments: argparse.Namespace, candles: Sequence[Candle]) -> None:
    rows = [
        (candle.open_at.isoformat(), *(getattr(candle, n) for n in _COLUMNS[1:]))
        for candle in candles
    ]
    if arguments.json:
        print(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows]))
    elif arguments.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([_COLUMNS, *rows])
    else:
        _print_table(arguments, candles)


def _print_table(arguments: argparse.Namespace, candles: Sequence[Candle]) -> None:
    table = Table(
        title=f"{arguments.symbol} {arguments.timeframe}: {len(candles):,} closed bars",
        title_justify="left",
    )
    table.add_column("open time (UTC)", no_wrap=True)
    for name in _COLUMNS[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for candle in candles[-_SHOWN_BARS:]:
        figures = (getattr(candle, name) for name in _COLUMNS[1:])
        table.add_row(
            f"{candle.open_at:%Y-%m-%d %H:%M}", *(f"{value:.8g}" for value in figures)
        )
    Console().print(table)
    if len(candles) > _SHOWN_BARS:
        _notes.print(
            f"[dim]the newest {_SHOWN_BARS} are shown; --csv or --json has all[/]"
        )


if __name__ == "__main__":
    sys.exit(main())
