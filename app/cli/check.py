"""`crypto-bot check`: checks of stored bars."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.bootstrap import (
    Runtime,
    begin_run,
    build_clock,
    build_exchange,
    load_settings,
    open_database,
)
from app.cli.counted import counted
from app.cli.known_names import require_stored
from app.cli.market_time import stored_clock
from app.cli.moments import parse_moment
from app.cli.replay import market_for_script
from app.core.exceptions import AppError, ExitCode, UnknownSymbol
from app.domain.timeframe import Timeframe
from app.exchange.service import ExchangeService
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.series import (
    StoredSeries,
    check_window,
    list_series,
    windows_of,
)
from app.services.cross_checks.trades import (
    check_against_trades,
    columns_of_trades,
    doubtful_spans,
    fetch_trade_list,
)
from app.services.quarantine.keeping import keep_rejected
from app.services.quarantine.replies import opened_for_run
from app.services.runs import end_run


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What the command line asked for."""

    symbol: str | None
    timeframe: Timeframe | None
    since: str | None
    trade_bars: int
    is_json: bool


@dataclass
class _Report:
    """Counts of each series, in the order checked; markets whose trades failed."""

    series: list[tuple[StoredSeries, CheckCounts]] = field(default_factory=list)
    errors: dict[StoredSeries, AppError] = field(default_factory=dict)

    @property
    def total(self) -> CheckCounts:
        total = CheckCounts()
        for _, counts in self.series:
            total.add(counts)
        return total

    @property
    def exit_code(self) -> ExitCode:
        """That of the first failure; a market that is gone has no trades to tell."""
        codes = [
            error.exit_code
            for error in self.errors.values()
            if not isinstance(error, UnknownSymbol)
        ]
        return codes[0] if codes else ExitCode.OK


def run_check(config: Path | None, options: CheckOptions) -> ExitCode:
    """Check what matches, print it; the exit code (0: what can be checked was)."""
    since = parse_moment(options.since, "--since")
    settings = load_settings(config, is_quiet=True)
    if options.trade_bars:
        with market_for_script(settings, config):
            return _run(config, options, since)
    return _run(config, options, since)


def _run(
    config: Path | None, options: CheckOptions, since: datetime | None
) -> ExitCode:
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "check") as database:
        with database.session_scope() as session:
            require_stored(session, settings.exchange.id, None, options.symbol)
            series = list_series(
                session,
                symbol=options.symbol,
                timeframe=options.timeframe,
                since=since,
            )
            clock = stored_clock(session, settings)
        wanted = (options.symbol, options.timeframe, options.since)
        asked = [str(each) for each in wanted if each is not None]
        if asked and not series:
            raise typer.BadParameter(
                f"no stored bars match {', '.join(asked):.90}: see `crypto-bot "
                "coverage` for what there is"
            )
        if options.trade_bars:
            clock = build_clock(settings)
        run_id = begin_run(settings, database, clock, "check")
        runtime = Runtime(settings, database, clock, run_id)
        try:
            report = _check_all(runtime, series)
            if options.trade_bars:
                asyncio.run(_check_trades(runtime, report, options.trade_bars))
        finally:
            with database.session_scope() as session:
                end_run(session, run_id, clock.now())
    _show(report, options.is_json)
    return report.exit_code


def _check_all(runtime: Runtime, series: list[StoredSeries]) -> _Report:
    report = _Report()
    for one in series:
        counts = CheckCounts()
        for start, end in windows_of(one):
            with runtime.database.session_scope() as session:
                now = runtime.clock.now()
                counts.add(
                    check_window(session, [one], start, end, now, runtime.run_id)
                )
        report.series.append((one, counts))
    return report


async def _check_trades(runtime: Runtime, report: _Report, bars: int) -> None:
    """Compare the newest bars of each market's smallest time frame with trades."""
    async with opened_for_run(
        build_exchange(runtime), runtime.database, runtime.clock, runtime.run_id
    ) as exchange:
        done: set[int] = set()
        for one, counts in report.series:
            mine = one.exchange == runtime.settings.exchange.id
            if one.cryptocurrency_id in done or not mine:
                continue
            done.add(one.cryptocurrency_id)
            try:
                counts.add(await _check_newest(runtime, exchange, one, bars))
            except AppError as error:
                report.errors[one] = error


async def _check_newest(
    runtime: Runtime, exchange: ExchangeService, one: StoredSeries, bars: int
) -> CheckCounts:
    # The bar in which the first trade is seen is cut by it: one more is asked for.
    start = max(one.start, one.timeframe.shift(one.end, -bars - 1))
    told = await fetch_trade_list(exchange, one.symbol, start, one.end)
    now, run_id = runtime.clock.now(), runtime.run_id
    with runtime.database.session_scope() as session:
        keep_rejected(session, one.exchange, told.rejected, now, run_id)
        return check_against_trades(
            session,
            one.cryptocurrency_id,
            one.timeframe,
            columns_of_trades(told),
            now,
            run_id,
            doubtful_spans(told),
        )


def _show(report: _Report, is_json: bool) -> None:
    total = report.total
    if is_json:
        series = [
            {
                "exchange": one.exchange,
                "symbol": one.symbol,
                "timeframe": one.timeframe.value,
                "from": one.start.isoformat(),
                "until": one.end.isoformat(),
                "compared_with": one.lower.value if one.lower else None,
                **_plain(counts),
                "trades_error": _error(report, one),
            }
            for one, counts in report.series
        ]
        print(json.dumps({"series": series, "total": _plain(total)}, indent=2))
        return
    table = Table(title="Checks of stored bars", title_justify="left")
    for name in ("market", "frame", "bars", "against", "compared", "findings", "new"):
        table.add_column(name, justify="right" if name in ("bars", "new") else "left")
    for one, counts in report.series:
        table.add_row(
            Text(one.symbol),
            one.timeframe.value,
            f"{counts.judged:,}",
            one.lower.value if one.lower else "-",
            f"{counts.compared:,}",
            Text("; ".join(filter(None, (_findings(counts), _error(report, one))))),
            f"{counts.new}",
        )
    Console().print(table)
    print(
        f"{counted(total.judged, 'bar')} judged, {total.compared:,} compared with what "
        f"they are made of: {counted(total.found.total(), 'finding')}, "
        f"{total.new:,} of them new."
    )


def _error(report: _Report, one: StoredSeries) -> str | None:
    error = report.errors.get(one)
    return None if error is None else f"trades not compared: {error}"


def _findings(counts: CheckCounts) -> str:
    found = (f"{count} {rule}" for rule, count in sorted(counts.found.items()))
    return ", ".join(found) or "-"


def _plain(counts: CheckCounts) -> dict[str, Any]:
    return {
        "judged": counts.judged,
        "compared": counts.compared,
        "findings": dict(sorted(counts.found.items())),
        "new": counts.new,
    }
