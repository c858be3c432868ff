"""Tables of the live screen and of `crypto-bot status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from app.domain.process import ProcessState
from app.domain.trade import TradeStatus
from app.services.status import ProcessStatus, SystemStatus

_STATE_STYLES = {
    ProcessState.STARTING: "yellow",
    ProcessState.RUNNING: "green",
    ProcessState.WAITING: "green",
    ProcessState.BACKING_OFF: "red",
    ProcessState.STOPPED: "dim",
    ProcessState.FAILED: "bold red",
}


def status_view(
    status: SystemStatus,
    now: datetime,
    restarts: Mapping[str, int] | None = None,
    is_compact: bool = False,
) -> RenderableType:
    """The whole status as one renderable; compact for a low terminal."""
    if is_compact:
        return Group(
            _headline(status, now),
            _bare(_process_table(status, now, restarts or {})),
            Text(_counts(status), style="cyan"),
            _bare(_decision_table(status)),
            _bare(_trade_table(status)),
        )
    names = list(status.rows)
    half = (len(names) + 1) // 2
    counts = Columns(
        [
            _rows_table(status, names[:half]),
            _rows_table(status, names[half:]),
            _candles_table(status),
        ],
        padding=(0, 2),
    )
    newest = Columns([_decision_table(status), _trade_table(status)], padding=(0, 2))
    return Group(
        _headline(status, now),
        _process_table(status, now, restarts or {}),
        counts,
        newest,
    )


def summary_line(
    status: SystemStatus | None, now: datetime, restarts: Mapping[str, int]
) -> str:
    """The status in one line, for logs and pipes."""
    if status is None:
        return "starting ..."
    equity = "-" if status.equity is None else f"{status.equity:.2f}"
    return (
        f"{now:%Y-%m-%d %H:%M} market time | "
        f"{_counts(status)} | equity {equity} | restarts {sum(restarts.values())}"
        + "".join(f" | {trouble}" for trouble in _troubles(status))
    )


def _counts(status: SystemStatus) -> str:
    rows = status.rows
    return (
        f"bars {rows['market_data']} on {len(status.candles)} time frames | "
        f"snapshots {rows['market_snapshots']} | decisions {rows['signals']} | "
        f"trades {rows['simulated_trades']} (closed {status.closed_trades}, "
        f"exits {rows['partial_exits']}) | metrics {rows['performance_metrics']}"
    )


def _troubles(status: SystemStatus) -> list[str]:
    """What holds processes up just now, in their own words."""
    stuck = (ProcessState.BACKING_OFF, ProcessState.FAILED)
    return [
        f"{row.process}: {row.last_error}"
        for row in status.processes
        if row.state in stuck and row.last_error
    ]


def _bare(table: Table) -> Table:
    """The same table without a frame and a title."""
    table.box = None
    table.title = None
    return table


def _headline(status: SystemStatus, now: datetime) -> RenderableType:
    text = Text(f"Market time {now:%Y-%m-%d %H:%M:%S} UTC")
    if status.equity is not None:
        text.append(f"   equity {status.equity:,.2f}", style="bold")
    if status.max_drawdown is not None:
        text.append(f"   max drawdown {status.max_drawdown:,.2f}")
    if status.win_rate is not None:
        text.append(
            f"   {status.closed_trades} closed trades, {status.win_rate:.0%} won"
        )
    return Panel(text, title="Crypto Trading Bot (simulated money)", expand=False)


def _process_table(
    status: SystemStatus, now: datetime, restarts: Mapping[str, int]
) -> Table:
    table = Table(title="Processes", title_justify="left")
    # Times are the market's: under the replay market they run faster than yours.
    for name in ("process", "state", "last success", "lag", "doing", "errors"):
        # A narrow terminal folds words, and never cuts a figure.
        table.add_column(name, no_wrap=name not in ("doing", "errors"))
    for row in status.processes:
        table.add_row(
            row.process,
            Text(row.state.value, style=_STATE_STYLES[row.state]),
            _ago(row.last_success_at, now),
            "-" if row.lag_seconds is None else _span(row.lag_seconds),
            Text(_doing(row)),
            _errors(row, restarts.get(row.process, 0)),
        )
    return table


def _doing(row: ProcessStatus) -> str:
    due, done = row.detail.get("pages_due"), row.detail.get("pages_done")
    if due:
        return _bar(int(done or 0), int(due)) + f" {due} pages left"
    shown = (f"{key} {value}" for key, value in row.detail.items() if value)
    return ", ".join(shown)[:48]


def _bar(done: int, due: int, width: int = 12) -> str:
    filled = round(width * done / max(1, done + due))
    return "█" * filled + "░" * (width - filled)


def _errors(row: ProcessStatus, restarts: int) -> Text:
    if not row.errors and not restarts:
        return Text("0")
    text = Text(f"{row.errors}", style="red" if row.errors else "")
    if restarts:
        text.append(f" ({restarts} restarts)")
    if row.last_error:
        text.append(f" {row.last_error[:60]}", style="dim")
    return text


def _rows_table(status: SystemStatus, names: Sequence[str]) -> Table:
    table = Table(title="Rows", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name in names:
        table.add_row(name, f"{status.rows[name]:,}")
    return table


def _candles_table(status: SystemStatus) -> Table:
    table = Table(title="Candles", title_justify="left")
    table.add_column("time frame")
    table.add_column("bars", justify="right")
    for timeframe, count in status.candles.items():
        table.add_row(timeframe, f"{count:,}")
    return table


def _decision_table(status: SystemStatus) -> Table:
    table = Table(title="Newest decisions", title_justify="left")
    for name in ("bar", "market", "decision", "reason", "confidence"):
        table.add_column(name)
    for line in status.decisions:
        style = "green" if line.kind == "signal" else "dim"
        confidence = "-" if line.confidence is None else f"{line.confidence:.2f}"
        table.add_row(
            f"{line.bar_at:%d %H:%M}",
            Text(line.symbol),
            line.kind,
            line.reason,
            confidence,
            style=style,
        )
    return table


def _trade_table(status: SystemStatus) -> Table:
    table = Table(title="Newest simulated trades", title_justify="left")
    for name in ("entry", "market", "state", "price", "stop", "exits", "result"):
        table.add_column(name)
    for line in status.trades:
        is_open = line.status is TradeStatus.OPEN
        table.add_row(
            f"{line.entry_at:%d %H:%M}",
            Text(line.symbol),
            "open" if is_open else f"closed: {line.exit_reason}",
            _price(line.entry_price),
            _price(line.stop_price),
            str(line.exits),
            Text(
                f"{line.realised_pnl:+.2f}",
                style="green" if line.realised_pnl > 0 else "red",
            ),
        )
    return table


def _price(value: Decimal) -> str:
    return f"{value:.6g}"


def _ago(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else f"{_span((now - moment).total_seconds())} ago"


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
