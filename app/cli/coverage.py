"""`crypto-bot coverage`: what became of every slot of every series."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.bootstrap import load_settings, open_database
from app.cli.console import table_console
from app.cli.known_names import require_stored
from app.cli.market_time import stored_clock
from app.core.exceptions import ExitCode
from app.domain.gap import GapStatus
from app.domain.timeframe import Timeframe
from app.models.series_coverage import read_cursors
from app.services.coverage import Coverage, CoverageReport, read_coverage
from app.services.coverage_check import Fault, verify_coverage

_STATUSES = (GapStatus.OPEN, GapStatus.REPAIRING, GapStatus.CONFIRMED_ABSENT)
_NUMBERS = (
    "slots", "bars", "open", "repairing", "absent", "pending",
    "accounted", "unknown", "revised",
)  # fmt: skip
# What a narrow terminal shows; --json has the rest.
_FULL_WIDTH = 120
_PRIMARY = ("slots", "bars", "open", "accounted")
# One snapshot: bars that arrive meanwhile must not look like faults.
_ONE_SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


@dataclass(frozen=True, slots=True)
class CoverageOptions:
    """What the command line asked for."""

    exchange: str | None
    symbol: str | None
    timeframe: Timeframe | None
    is_totals: bool
    is_verified: bool
    is_json: bool


def show_coverage(config: Path | None, options: CoverageOptions) -> ExitCode:
    """Print the coverage; FAILED where `--verify` found ledger and table to differ."""
    settings = load_settings(config, is_quiet=True)
    faults: list[Fault] | None = None
    with open_database(settings, "coverage") as database:
        with database.session_scope() as session:
            session.execute(_ONE_SNAPSHOT)
            configured = settings.exchange.id
            require_stored(session, configured, options.exchange, options.symbol)
            now = stored_clock(session, settings).now()
            wanted = (options.exchange, options.symbol, options.timeframe)
            report = read_coverage(session, now, *wanted)
            _require_series(session, report, options.timeframe)
            if options.is_verified:
                faults = verify_coverage(session)
    if options.is_json:
        print(json.dumps(as_document(report, faults), indent=2))
    else:
        console = table_console()
        shown = _NUMBERS if console.width >= _FULL_WIDTH else _PRIMARY
        console.print(_view(report, faults, options.is_totals, shown))
    return ExitCode.FAILED if faults else ExitCode.OK


def _require_series(
    session: Session, report: CoverageReport, timeframe: Timeframe | None
) -> None:
    """Refuse a time frame that is not collected: nothing of it is no 100 %."""
    if timeframe is None or report.series:
        return
    stored = {cursor.timeframe for cursor in read_cursors(session)}
    there = ", ".join(frame.value for frame in Timeframe if frame in stored)
    raise typer.BadParameter(
        f"--timeframe: no such series of {timeframe.value} is stored; there is "
        f"{there or 'none yet'}"
    )


def as_document(
    report: CoverageReport, faults: Sequence[Fault] | None
) -> dict[str, Any]:
    """The report in JSON's types; `faults` is null where nothing was counted."""
    return {
        "now": report.now.isoformat(),
        "total": _plain(report.total),
        "totals": [
            {"exchange": exchange, "timeframe": timeframe.value, **_plain(coverage)}
            for (exchange, timeframe), coverage in report.totals.items()
        ],
        "series": [
            {
                "exchange": one.cursor.exchange,
                "symbol": one.cursor.symbol,
                "timeframe": one.cursor.timeframe.value,
                "history_from": one.cursor.history_from.isoformat(),
                "accounted_until": one.cursor.watermark_at.isoformat(),
                "pending_reason": one.cursor.pending_reason,
                "closed_at": one.cursor.closed_at and one.cursor.closed_at.isoformat(),
                "close_reason": one.cursor.close_reason,
                **_plain(one.coverage),
            }
            for one in report.series
        ],
        "faults": None if faults is None else [_plain_fault(fault) for fault in faults],
    }


def _plain(coverage: Coverage) -> dict[str, Any]:
    return {
        "slots": coverage.slots,
        "bars": coverage.bars,
        "missing": coverage.missing,
        "pending": coverage.pending,
        "unaccounted": coverage.unaccounted,
        "accounted_percent": coverage.accounted_percent,
        "unknown_share": coverage.unknown_share,
        "revisions": coverage.revisions,
        "revision_rate": coverage.revision_rate,
        "gaps": [
            {
                "status": gap.status.value,
                "reason": gap.reason.value,
                "gaps": gap.gaps,
                "slots": gap.slots,
            }
            for gap in coverage.gaps
        ],
    }


def _plain_fault(fault: Fault) -> dict[str, Any]:
    return {
        "exchange": fault.exchange,
        "symbol": fault.symbol,
        "timeframe": fault.timeframe.value,
        "kind": fault.kind.value,
        "slots": fault.slots,
        "starts_at": fault.starts_at and fault.starts_at.isoformat(),
        "ends_at": fault.ends_at and fault.ends_at.isoformat(),
    }


def _view(
    report: CoverageReport,
    faults: Sequence[Fault] | None,
    is_totals: bool,
    shown: Sequence[str],
) -> RenderableType:
    if not report.series:
        return "Nothing is collected yet."
    parts: list[RenderableType] = []
    if not is_totals:
        parts.append(_series_table(report, shown))
    parts += [_totals_table(report, shown), _reasons_table(report.total)]
    if faults is not None:
        parts.append(_faults_view(faults))
    return Group(*parts)


def _series_table(report: CoverageReport, shown: Sequence[str]) -> Table:
    table = _table("Slots by series", shown, "market", "frame")
    for one in report.series:
        ended = f" ({one.cursor.close_reason})" if one.cursor.close_reason else ""
        name = Text(f"{one.cursor.exchange} {one.cursor.symbol}{ended}")
        table.add_row(name, one.cursor.timeframe.value, *_cells(one.coverage, shown))
    return table


def _totals_table(report: CoverageReport, shown: Sequence[str]) -> Table:
    title = f"Slots by exchange and time frame, {report.now:%Y-%m-%d %H:%M:%S} UTC"
    table = _table(title, shown, "exchange", "frame")
    for (exchange, timeframe), coverage in report.totals.items():
        table.add_row(exchange, timeframe.value, *_cells(coverage, shown))
    table.add_section()
    table.add_row("all", "", *_cells(report.total, shown))
    return table


def _reasons_table(total: Coverage) -> RenderableType:
    if not total.gaps:
        return "No gaps."
    table = Table(title="Missing slots by reason", title_justify="left")
    for heading in ("reason", "status", "gaps", "slots"):
        is_number = heading in ("gaps", "slots")
        table.add_column(heading, justify="right" if is_number else "left")
    for gap in total.gaps:
        table.add_row(
            gap.reason.value, gap.status.value, f"{gap.gaps:,}", f"{gap.slots:,}"
        )
    return table


def _faults_view(faults: Sequence[Fault]) -> RenderableType:
    if not faults:
        return "[green]Counted: ledger and table agree on every slot.[/]"
    table = Table(title="Where ledger and table disagree", title_justify="left")
    for heading in ("market", "frame", "kind", "slots", "from", "until"):
        table.add_column(heading)
    for fault in faults:
        table.add_row(
            Text(f"{fault.exchange} {fault.symbol}"),
            fault.timeframe.value,
            fault.kind.value,
            f"{fault.slots:,}",
            f"{fault.starts_at:%Y-%m-%d %H:%M}" if fault.starts_at else "-",
            f"{fault.ends_at:%Y-%m-%d %H:%M}" if fault.ends_at else "-",
        )
    return table


def _table(title: str, shown: Sequence[str], *names: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in names:
        # A name that was cut would be that of another market.
        table.add_column(name, overflow="fold")
    for number in shown:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _cells(coverage: Coverage, shown: Sequence[str]) -> list[str]:
    is_exact = not coverage.unaccounted
    share = f"{coverage.accounted_percent:.3f} %"
    cells = [
        f"{coverage.slots:,}",
        f"{coverage.bars:,}",
        *(f"{coverage.missing_by(status):,}" for status in _STATUSES),
        f"{coverage.pending:,}",
        share if is_exact else f"[red]{share}[/]",
        f"{coverage.unknown_share:.3%}",
        f"{coverage.revision_rate:.4%}",
    ]
    named = dict(zip(_NUMBERS, cells, strict=True))
    return [named[name] for name in shown]
