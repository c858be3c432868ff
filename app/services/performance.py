"""Writes a row of figures for each simulated trade that closes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.trade import TradeStatus
from app.models import PerformanceMetrics, SimulatedTrade
from app.trading.metrics import Outcome, PerformanceFigures, performance


def record_closed_trades(
    session: Session,
    closed: Sequence[SimulatedTrade],
    initial_equity: Decimal,
    run_id: UUID,
) -> None:
    """Add the figures after each of the trades just closed, in order of closing.

    The ledger is read whole: figures follow from trades, never from older figures.
    """
    if not closed:
        return
    fresh = {trade.id for trade in closed}
    ledger = session.scalars(
        select(SimulatedTrade)
        .where(SimulatedTrade.status == TradeStatus.CLOSED)
        .order_by(
            SimulatedTrade.exit_at,
            SimulatedTrade.entry_at,
            SimulatedTrade.cryptocurrency_id,
        )
    ).all()
    outcomes = [
        Outcome(trade.realised_pnl, trade.fees_total, trade.risk_amount)
        for trade in ledger
    ]
    for trade, figures in zip(
        ledger, performance(outcomes, initial_equity), strict=True
    ):
        if trade.id in fresh:
            session.add(_row(trade, figures, run_id))


def _row(
    trade: SimulatedTrade, figures: PerformanceFigures, run_id: UUID
) -> PerformanceMetrics:
    return PerformanceMetrics(
        trade_id=trade.id,
        as_of=trade.exit_at,
        trades=figures.trades,
        wins=figures.wins,
        losses=figures.losses,
        win_rate=figures.win_rate,
        profit_factor=figures.profit_factor,
        expectancy=figures.expectancy,
        sharpe=figures.sharpe,
        realised_pnl=figures.realised_pnl,
        fees=figures.fees,
        equity=figures.equity,
        peak_equity=figures.peak_equity,
        drawdown=figures.drawdown,
        max_drawdown=figures.max_drawdown,
        run_id=run_id,
    )
