"""Reads the simulated account from the trades and exits stored."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, SQLColumnExpression, func, or_, select
from sqlalchemy.orm import Session

from app.models import Cryptocurrency, PartialExit, SimulatedTrade
from app.trading.portfolio_manager import Cashflow, Holding, PortfolioManager


def read_portfolio(
    session: Session, initial_equity: Decimal, moment: datetime
) -> PortfolioManager:
    """The account as it stood at `moment`; later instants are not in it.

    What was realised until then comes as one sum, and only what was held is read: an
    account may be years old.
    """
    portfolio = PortfolioManager(initial_equity)
    entries = _total(SimulatedTrade.entry_fee)
    fees = session.scalar(select(entries).where(SimulatedTrade.entry_at <= moment))
    exits = _total(PartialExit.pnl)
    pnl = session.scalar(select(exits).where(PartialExit.exited_at <= moment))
    portfolio.cashflows.append(Cashflow(moment, (pnl or 0) - (fees or Decimal(0))))
    held = (
        select(Cryptocurrency.symbol, SimulatedTrade.entry_at, SimulatedTrade.exit_at)
        .join(Cryptocurrency, Cryptocurrency.id == SimulatedTrade.cryptocurrency_id)
        .where(
            SimulatedTrade.entry_at <= moment,
            or_(SimulatedTrade.exit_at.is_(None), SimulatedTrade.exit_at > moment),
        )
    )
    portfolio.holdings.extend(Holding(*row) for row in session.execute(held))
    return portfolio


def _total(column: SQLColumnExpression[Decimal]) -> ColumnElement[Decimal]:
    """The exact sum of a column of money; 0 of nothing."""
    return func.coalesce(func.sum(column), 0)
