"""Trades on simulated money."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.decision import Side
from app.domain.trade import ExitReason, TradeStatus
from app.models.base import BaseModel
from app.models.mixins import (
    RunMixin,
    TimestampMixin,
    UuidKeyMixin,
    finite,
    finite_above_zero,
    finite_not_negative,
)


class SimulatedTrade(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """One position from entry to its last exit; money in the quote currency."""

    __tablename__ = "simulated_trades"
    __table_args__ = (
        # One trade a signal, however often the scanner is killed and restarted.
        sa.UniqueConstraint("signal_id"),
        finite_above_zero("entry_price"),
        finite_above_zero("quantity"),
        finite_above_zero("initial_stop_price"),
        finite_above_zero("stop_price"),
        finite_above_zero("risk_amount"),
        finite_not_negative("entry_fee"),
        finite_not_negative("fees_total"),
        finite("realised_pnl"),
        sa.CheckConstraint(
            "remaining_quantity >= 0 AND remaining_quantity <= quantity",
            name="remaining_within_quantity",
        ),
        sa.CheckConstraint(
            "(status = 'closed') = (remaining_quantity = 0 AND exit_at IS NOT NULL)",
            name="closed_when_nothing_remains",
        ),
        sa.CheckConstraint(
            "(status = 'closed') = (exit_reason IS NOT NULL)",
            name="closed_for_a_reason",
        ),
        sa.CheckConstraint("exit_at >= entry_at", name="exit_after_entry"),
        sa.CheckConstraint("next_target >= 0", name="next_target_not_negative"),
        sa.Index(
            "ix_simulated_trades_open",
            "entry_at",
            postgresql_where=sa.text("status = 'open'"),
        ),
        sa.Index("ix_simulated_trades_exit_at", "exit_at"),
        sa.Index("ix_simulated_trades_cryptocurrency_id", "cryptocurrency_id"),
        sa.Index("ix_simulated_trades_run_id", "run_id"),
        {"comment": "Simulated trades, open and closed."},
    )

    signal_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("signals.id"), comment="The signal that opened it."
    )
    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"), comment="The market."
    )
    side: Mapped[Side] = mapped_column(comment="Direction.")
    status: Mapped[TradeStatus] = mapped_column(comment="Open or closed.")
    entry_at: Mapped[datetime] = mapped_column(comment="When it was entered.")
    entry_price: Mapped[Decimal] = mapped_column(comment="Price paid, with slippage.")
    quantity: Mapped[Decimal] = mapped_column(comment="Amount bought, base currency.")
    remaining_quantity: Mapped[Decimal] = mapped_column(
        comment="Amount still held, base currency."
    )
    initial_stop_price: Mapped[Decimal] = mapped_column(comment="First stop.")
    stop_price: Mapped[Decimal] = mapped_column(comment="Stop now.")
    risk_amount: Mapped[Decimal] = mapped_column(
        comment="Money lost if the first stop is hit."
    )
    take_profits: Mapped[list[dict[str, Any]]] = mapped_column(
        comment="Targets, nearest first: price, quantity and fraction of each."
    )
    next_target: Mapped[int] = mapped_column(
        server_default=sa.text("0"), comment="Position of the next target to be hit."
    )
    entry_fee: Mapped[Decimal] = mapped_column(comment="Fee of the entry.")
    fees_total: Mapped[Decimal] = mapped_column(comment="Fees so far, entry included.")
    realised_pnl: Mapped[Decimal] = mapped_column(
        comment="Profit or loss realised so far, after fees."
    )
    is_trailing: Mapped[bool] = mapped_column(
        server_default=sa.false(), comment="Whether the stop trails the price."
    )
    best_price: Mapped[Decimal] = mapped_column(comment="Best price since entry.")
    worst_price: Mapped[Decimal] = mapped_column(comment="Worst price since entry.")
    stepped_through: Mapped[datetime] = mapped_column(
        comment="Close time of the last candle it was stepped through."
    )
    exit_at: Mapped[datetime | None] = mapped_column(comment="When the rest was sold.")
    exit_price: Mapped[Decimal | None] = mapped_column(
        comment="Price of the last sale."
    )
    exit_reason: Mapped[ExitReason | None] = mapped_column(
        comment="What sold the rest."
    )
    mfe: Mapped[Decimal | None] = mapped_column(
        comment="Maximum favourable excursion: best price move, per unit."
    )
    mae: Mapped[Decimal | None] = mapped_column(
        comment="Maximum adverse excursion: worst price move, per unit."
    )

    @classmethod
    def get_open(cls, session: Session, lock: bool = False) -> list[Self]:
        """Open trades, oldest first; `lock` (in key order) keeps others out."""
        query = sa.select(cls).where(cls.status == TradeStatus.OPEN).order_by(cls.id)
        if lock:
            query = query.with_for_update()
        return sorted(session.scalars(query), key=lambda trade: trade.entry_at)

    @classmethod
    def get_open_at(cls, session: Session, at: datetime) -> list[Self]:
        """Trades that held a quantity at `at`, oldest first."""
        query = (
            sa.select(cls)
            .where(cls.entry_at <= at, sa.or_(cls.exit_at.is_(None), cls.exit_at > at))
            .order_by(cls.entry_at, cls.id)
        )
        return list(session.scalars(query))

    @classmethod
    def get_closed(cls, session: Session, limit: int | None = None) -> list[Self]:
        """Closed trades, last closed first."""
        query = (
            sa.select(cls)
            .where(cls.status == TradeStatus.CLOSED)
            .order_by(cls.exit_at.desc(), cls.id)
            .limit(limit)
        )
        return list(session.scalars(query))

    @classmethod
    def get_by_run_id(cls, session: Session, run_id: uuid.UUID) -> list[Self]:
        """Trades last written by one run, oldest first."""
        query = sa.select(cls).where(cls.run_id == run_id).order_by(cls.entry_at)
        return list(session.scalars(query))
