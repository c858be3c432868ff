"""How the simulated account did, after each closed trade."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin, UuidKeyMixin, finite


class PerformanceMetrics(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """The account's figures over all trades closed so far; money in quote currency."""

    __tablename__ = "performance_metrics"
    __table_args__ = (
        sa.UniqueConstraint("trade_id"),
        finite("realised_pnl"),
        finite("equity"),
        sa.CheckConstraint(
            "wins >= 0 AND losses >= 0 AND wins + losses <= trades",
            name="wins_and_losses_within_trades",
        ),
        sa.CheckConstraint("peak_equity >= equity", name="peak_not_below_equity"),
        sa.CheckConstraint(
            "drawdown >= 0 AND max_drawdown >= drawdown", name="drawdown_within_max"
        ),
        sa.Index("ix_performance_metrics_as_of", "as_of"),
        sa.Index("ix_performance_metrics_run_id", "run_id"),
        {"comment": "Figures of the simulated account, one row per closed trade."},
    )

    trade_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("simulated_trades.id"), comment="The trade whose closing it is."
    )
    as_of: Mapped[datetime] = mapped_column(comment="When that trade closed.")
    trades: Mapped[int] = mapped_column(comment="Trades closed so far.")
    wins: Mapped[int] = mapped_column(comment="Those with a profit after fees.")
    losses: Mapped[int] = mapped_column(comment="Those with a loss after fees.")
    win_rate: Mapped[float] = mapped_column(comment="Wins over trades, 0 to 1.")
    profit_factor: Mapped[float | None] = mapped_column(
        comment="Gross profit over gross loss; NULL: no loss yet."
    )
    expectancy: Mapped[float] = mapped_column(
        comment="Mean profit or loss of a trade, in initial risks (R)."
    )
    sharpe: Mapped[float | None] = mapped_column(
        comment="Mean over standard deviation of trade returns; NULL: too few."
    )
    realised_pnl: Mapped[Decimal] = mapped_column(
        comment="Profit or loss of all closed trades, after fees."
    )
    fees: Mapped[Decimal] = mapped_column(comment="Fees of all closed trades.")
    equity: Mapped[Decimal] = mapped_column(comment="Starting cash plus realised_pnl.")
    peak_equity: Mapped[Decimal] = mapped_column(comment="Highest equity so far.")
    drawdown: Mapped[Decimal] = mapped_column(comment="peak_equity less equity.")
    max_drawdown: Mapped[Decimal] = mapped_column(comment="Largest drawdown so far.")

    @classmethod
    def get_latest(cls, session: Session, limit: int = 1) -> list[Self]:
        """The newest figures, newest first."""
        query = sa.select(cls).order_by(cls.as_of.desc(), cls.trades.desc())
        return list(session.scalars(query.limit(limit)))

    @classmethod
    def get_by_run_id(cls, session: Session, run_id: uuid.UUID) -> list[Self]:
        """Figures one run wrote, oldest first."""
        query = (
            sa.select(cls).where(cls.run_id == run_id).order_by(cls.as_of, cls.trades)
        )
        return list(session.scalars(query))
