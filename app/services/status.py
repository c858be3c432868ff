"""What the live screen and `crypto-bot status` show, in a handful of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.domain.process import ProcessState
from app.domain.trade import TradeStatus
from app.models import (
    Cryptocurrency,
    PartialExit,
    PerformanceMetrics,
    ProcessHeartbeat,
    Signal,
    SimulatedTrade,
)

# Tables small enough to count; the partitioned ones are estimated.
_COUNTED = (
    "cryptocurrencies",
    "universe_membership",
    "series_cursors",
    "market_data_gaps",
    "market_data_revisions",
    "signals",
    "simulated_trades",
    "partial_exits",
    "performance_metrics",
    "quarantine",
    "configuration_history",
    "process_heartbeats",
)
_PARTITIONED = ("market_data", "market_snapshots")
# Counting stops here and the planner's estimate takes over.
_LARGEST_COUNT = 200_000


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """The last heartbeat of one process."""

    process: str
    state: ProcessState
    pid: int
    beat_at: datetime
    real_beat_at: datetime
    last_success_at: datetime | None
    lag_seconds: float | None
    errors: int
    last_error: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One signal or refusal."""

    symbol: str
    bar_at: datetime
    kind: str
    reason: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class TradeLine:
    """One simulated trade; `exits` counts its partial exits."""

    symbol: str
    status: TradeStatus
    entry_at: datetime
    entry_price: Decimal
    stop_price: Decimal
    realised_pnl: Decimal
    exits: int
    exit_at: datetime | None
    exit_reason: str | None


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """The whole system at one glance."""

    processes: tuple[ProcessStatus, ...]
    rows: dict[str, int]
    candles: dict[str, int]
    decisions: tuple[DecisionLine, ...]
    trades: tuple[TradeLine, ...]
    equity: Decimal | None
    max_drawdown: Decimal | None
    closed_trades: int
    win_rate: float | None


def read_status(session: Session, lines: int = 8) -> SystemStatus:
    """Read everything the status shows; `lines` newest decisions and trades."""
    metrics = next(iter(PerformanceMetrics.get_latest(session)), None)
    return SystemStatus(
        processes=_processes(session),
        rows=_rows(session),
        candles=_candles(session),
        decisions=_decisions(session, lines),
        trades=_trades(session, lines),
        equity=metrics.equity if metrics else None,
        max_drawdown=metrics.max_drawdown if metrics else None,
        closed_trades=metrics.trades if metrics else 0,
        win_rate=metrics.win_rate if metrics else None,
    )


def _processes(session: Session) -> tuple[ProcessStatus, ...]:
    return tuple(
        ProcessStatus(
            process=row.process,
            state=row.state,
            pid=row.pid,
            beat_at=row.beat_at,
            real_beat_at=row.real_beat_at,
            last_success_at=row.last_success_at,
            lag_seconds=row.lag_seconds,
            errors=row.errors,
            last_error=row.last_error,
            detail=dict(row.detail),
        )
        for row in ProcessHeartbeat.get_all(session)
    )


def _rows(session: Session) -> dict[str, int]:
    counts = {}
    for table in (*_PARTITIONED, *_COUNTED):
        # The names are constants of this file, never input.
        limited = text(
            f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {_LARGEST_COUNT}) AS t"
        )
        count = int(session.scalar(limited) or 0)
        counts[table] = count if count < _LARGEST_COUNT else _estimate(session, table)
    return counts


def _estimate(session: Session, table: str) -> int:
    query = text(
        "SELECT sum(greatest(c.reltuples, 0))::bigint FROM pg_class c"
        " WHERE c.oid = to_regclass(:name) OR c.oid IN"
        " (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(:name))"
    )
    return max(_LARGEST_COUNT, int(session.scalar(query, {"name": table}) or 0))


def _candles(session: Session) -> dict[str, int]:
    query = text(
        "SELECT t.timeframe::text, count(*) FROM"
        f" (SELECT timeframe FROM market_data LIMIT {_LARGEST_COUNT}) AS t"
        " GROUP BY t.timeframe ORDER BY t.timeframe"
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def _decisions(session: Session, lines: int) -> tuple[DecisionLine, ...]:
    query = (
        select(Signal, Cryptocurrency.symbol)
        .join(Cryptocurrency, Cryptocurrency.id == Signal.cryptocurrency_id)
        .order_by(Signal.bar_at.desc(), Signal.kind.desc())
        .limit(lines)
    )
    return tuple(
        DecisionLine(
            symbol, row.bar_at, row.kind.value, row.reason.value, row.confidence
        )
        for row, symbol in session.execute(query)
    )


def _trades(session: Session, lines: int) -> tuple[TradeLine, ...]:
    exits = (
        select(func.count())
        .where(PartialExit.trade_id == SimulatedTrade.id)
        .correlate(SimulatedTrade)
        .scalar_subquery()
    )
    query = (
        select(SimulatedTrade, Cryptocurrency.symbol, exits)
        .join(Cryptocurrency, Cryptocurrency.id == SimulatedTrade.cryptocurrency_id)
        .order_by(SimulatedTrade.entry_at.desc())
        .limit(lines)
    )
    return tuple(
        TradeLine(
            symbol=symbol,
            status=row.status,
            entry_at=row.entry_at,
            entry_price=row.entry_price,
            stop_price=row.stop_price,
            realised_pnl=row.realised_pnl,
            exits=count,
            exit_at=row.exit_at,
            exit_reason=row.exit_reason.value if row.exit_reason else None,
        )
        for row, symbol, count in session.execute(query)
    )
