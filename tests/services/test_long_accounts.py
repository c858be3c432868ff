"""An account of many trades is read in parts, and gives the same figures."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.trade import ExitReason, TradeStatus
from app.models import PartialExit, PerformanceMetrics, SimulatedTrade
from app.services import performance
from app.services.performance import record_closed_trades
from app.services.portfolio import read_portfolio
from tests.models.factories import T0, add_market, add_run, make_signal, make_trade

EQUITY = Decimal(1000)
PNL = [Decimal(text) for text in ("5", "-2", "7", "7", "-9", "4", "0.5")]


def add_trades(session: Session) -> list[SimulatedTrade]:
    """One after another, each an hour; two pairs close at the same instant."""
    run_id = add_run(session)
    trades = []
    for number, pnl in enumerate(PNL):
        market = add_market(session, run_id, f"C{number}/USDT")
        signal = make_signal(market)
        session.add(signal)
        session.flush()
        trade = make_trade(signal)
        trade.entry_at = T0
        trade.status = TradeStatus.CLOSED
        trade.remaining_quantity = Decimal(0)
        trade.exit_at = T0 + timedelta(hours=1 + number // 2)
        trade.exit_reason = ExitReason.STOP_LOSS
        trade.exit_price = trade.entry_price
        trade.entry_fee = Decimal(1)
        trade.realised_pnl = pnl
        session.add(trade)
        session.flush()
        session.add(
            PartialExit(
                trade_id=trade.id,
                sequence=1,
                exited_at=trade.exit_at,
                price=trade.entry_price,
                quantity=trade.quantity,
                fee=Decimal(0),
                pnl=pnl + 1,
                reason=ExitReason.STOP_LOSS,
                run_id=run_id,
            )
        )
        trades.append(trade)
    session.flush()
    return trades


@pytest.mark.parametrize("together", [1, 2, 3, 7, 100])
def test_figures_are_those_of_the_whole_ledger(
    database: Database, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(performance, "_TRADES_PER_READ", together)
    with database.session_scope() as session:
        trades = add_trades(session)
        record_closed_trades(session, trades[-2:], EQUITY, trades[0].run_id)
        session.flush()
        rows = session.scalars(
            select(PerformanceMetrics).order_by(PerformanceMetrics.trades)
        ).all()

        assert [row.trade_id for row in rows] == [trade.id for trade in trades[-2:]]
        assert [row.trades for row in rows] == [6, 7]
        assert [row.equity for row in rows] == [EQUITY + sum(PNL[:n]) for n in (6, 7)]


def test_the_account_at_an_instant_ignores_what_came_later(database: Database) -> None:
    with database.session_scope() as session:
        add_trades(session)
        for hours, closed in ((0, 0), (1, 2), (3, 6), (9, 7)):
            moment = T0 + timedelta(hours=hours)
            view = read_portfolio(session, EQUITY, moment).at(moment)

            assert view.equity == EQUITY + sum(PNL[:closed]) - (7 - closed)
            assert view.open_positions == len(view.symbols) == 7 - closed
