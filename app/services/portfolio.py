"""Reads the simulated account from the trades and exits stored."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Cryptocurrency, PartialExit, SimulatedTrade
from app.trading.portfolio_manager import Cashflow, Holding, PortfolioManager


def read_portfolio(session: Session, initial_equity: Decimal) -> PortfolioManager:
    """Every position so far, with what it realised and when."""
    portfolio = PortfolioManager(initial_equity)
    trades = session.execute(
        select(
            SimulatedTrade.id,
            SimulatedTrade.entry_at,
            SimulatedTrade.exit_at,
            SimulatedTrade.entry_fee,
            Cryptocurrency.symbol,
        ).join(Cryptocurrency, Cryptocurrency.id == SimulatedTrade.cryptocurrency_id)
    ).all()
    for _, entry_at, exit_at, entry_fee, symbol in trades:
        holding = Holding(symbol, entry_at, exit_at)
        portfolio.add(holding, [Cashflow(entry_at, -entry_fee)])
    exits = session.execute(select(PartialExit.exited_at, PartialExit.pnl))
    portfolio.cashflows.extend(Cashflow(at, pnl) for at, pnl in exits)
    return portfolio
