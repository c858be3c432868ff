"""Writes a row of figures for each simulated trade that closes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.trade import TradeStatus
from app.models import PerformanceMetrics, SimulatedTrade
from app.trading.metrics import Outcome, PerformanceFigures

# Full within hours: parts that take days to fill look like a process that grows.
_TRADES_PER_READ = 100


class _Closing(NamedTuple):
    """When and how a trade ended; the first four are the order of closing.

    The trade's key is in it so that no two stand at the same place.
    """

    exit_at: datetime
    entry_at: datetime
    cryptocurrency_id: int
    trade_id: int
    pnl: Decimal
    fees: Decimal
    risk_amount: Decimal


_ORDER = sa.tuple_(
    SimulatedTrade.exit_at,
    SimulatedTrade.entry_at,
    SimulatedTrade.cryptocurrency_id,
    SimulatedTrade.id,
)
_CLOSINGS = (
    sa.select(
        *_ORDER,
        SimulatedTrade.realised_pnl,
        SimulatedTrade.fees_total,
        SimulatedTrade.risk_amount,
    )
    .where(SimulatedTrade.status == TradeStatus.CLOSED)
    .order_by(*_ORDER)
)


def record_closed_trades(
    session: Session,
    closed: Sequence[SimulatedTrade],
    initial_equity: Decimal,
    run_id: UUID,
) -> None:
    """Add the figures after each of the trades just closed, in order of closing.

    The ledger is read whole: figures follow from trades, never from older figures. It
    is read in parts: a long ledger takes time, but no memory.
    """
    if not closed:
        return
    fresh = {trade.id for trade in closed}
    figures = PerformanceFigures.start(initial_equity)
    for closing in _closings(session):
        outcome = Outcome(closing.pnl, closing.fees, closing.risk_amount)
        figures = figures.after(outcome)
        if closing.trade_id in fresh:
            session.add(_row(closing, figures, run_id))


def _closings(session: Session) -> Iterator[_Closing]:
    query = _CLOSINGS
    # What is added meanwhile is written afterwards, at once.
    with session.no_autoflush:
        while part := list(
            map(_Closing._make, session.execute(query.limit(_TRADES_PER_READ)))
        ):
            yield from part
            if len(part) < _TRADES_PER_READ:
                return
            query = _CLOSINGS.where(_ORDER > sa.tuple_(*part[-1][:4]))


def _row(
    closing: _Closing, figures: PerformanceFigures, run_id: UUID
) -> PerformanceMetrics:
    return PerformanceMetrics(
        trade_id=closing.trade_id,
        as_of=closing.exit_at,
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
