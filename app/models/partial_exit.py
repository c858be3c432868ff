"""Sales of parts of simulated trades."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.trade import ExitReason
from app.models.base import BaseModel
from app.models.mixins import (
    RunMixin,
    TimestampMixin,
    UuidKeyMixin,
    finite,
    finite_above_zero,
    finite_not_negative,
)


class PartialExit(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """One sale of a part of a trade, or of its rest."""

    __tablename__ = "partial_exits"
    __table_args__ = (
        sa.UniqueConstraint("trade_id", "sequence"),
        finite_above_zero("price"),
        finite_above_zero("quantity"),
        finite_not_negative("fee"),
        finite("pnl"),
        sa.CheckConstraint("sequence >= 1", name="sequence_from_one"),
        sa.Index("ix_partial_exits_exited_at", "exited_at"),
        sa.Index("ix_partial_exits_run_id", "run_id"),
        {"comment": "Exits of simulated trades, the last one included."},
    )

    trade_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("simulated_trades.id"), comment="The trade."
    )
    sequence: Mapped[int] = mapped_column(comment="1 for the first exit of the trade.")
    exited_at: Mapped[datetime] = mapped_column(comment="When it was sold.")
    price: Mapped[Decimal] = mapped_column(comment="Price got, with slippage.")
    quantity: Mapped[Decimal] = mapped_column(comment="Amount sold, base currency.")
    fee: Mapped[Decimal] = mapped_column(comment="Fee of the sale, quote currency.")
    pnl: Mapped[Decimal] = mapped_column(
        comment="Profit or loss of this part, after its fee, quote currency."
    )
    reason: Mapped[ExitReason] = mapped_column(comment="What sold it.")

    @classmethod
    def get_for_trade(cls, session: Session, trade_id: uuid.UUID) -> list[Self]:
        """Exits of one trade, in order."""
        query = sa.select(cls).where(cls.trade_id == trade_id).order_by(cls.sequence)
        return list(session.scalars(query))

    @classmethod
    def get_latest(cls, session: Session, limit: int = 20) -> list[Self]:
        """The newest exits, newest first."""
        query = sa.select(cls).order_by(cls.exited_at.desc(), cls.trade_id).limit(limit)
        return list(session.scalars(query))

    @classmethod
    def get_by_run_id(cls, session: Session, run_id: uuid.UUID) -> list[Self]:
        """Exits one run wrote, oldest first."""
        query = sa.select(cls).where(cls.run_id == run_id).order_by(cls.exited_at)
        return list(session.scalars(query))
