"""Every decision of a strategy or of the risk rules, refusals included."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.decision import DecisionKind, ReasonCode, Side
from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import (
    RunMixin,
    TimestampMixin,
    UuidKeyMixin,
    finite_above_zero,
)


class Signal(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """A signal or a refusal, with its reason code and the figures behind it."""

    __tablename__ = "signals"
    __table_args__ = (
        # What makes judging the same bar twice (after a crash) change nothing.
        sa.UniqueConstraint("cryptocurrency_id", "strategy", "timeframe", "bar_at"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence_in_range"),
        finite_above_zero("entry_price"),
        finite_above_zero("stop_price"),
        sa.CheckConstraint(
            "kind <> 'signal' OR (side IS NOT NULL AND confidence IS NOT NULL"
            " AND entry_price IS NOT NULL AND stop_price IS NOT NULL)",
            name="signal_is_complete",
        ),
        sa.Index("ix_signals_decided_at", "decided_at"),
        sa.Index("ix_signals_kind_decided_at", "kind", "decided_at"),
        sa.Index("ix_signals_run_id", "run_id"),
        {"comment": "Decisions on each closed bar: signals and refusals."},
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"), comment="The market judged."
    )
    strategy: Mapped[str] = mapped_column(comment="The strategy that judged it.")
    timeframe: Mapped[Timeframe] = mapped_column(comment="Time frame it looked at.")
    bar_at: Mapped[datetime] = mapped_column(
        comment="Open time of the last closed bar it saw."
    )
    kind: Mapped[DecisionKind] = mapped_column(comment="Signal or refusal.")
    side: Mapped[Side | None] = mapped_column(comment="Direction of the position.")
    confidence: Mapped[float | None] = mapped_column(comment="Confidence, 0 to 1.")
    entry_price: Mapped[Decimal | None] = mapped_column(
        comment="Price to enter at, quote currency."
    )
    stop_price: Mapped[Decimal | None] = mapped_column(
        comment="Price that proves it wrong, quote currency."
    )
    reason: Mapped[ReasonCode] = mapped_column(comment="Why: a stable code.")
    evidence: Mapped[dict[str, Any]] = mapped_column(
        comment="Figures the rule looked at, by name."
    )
    decided_at: Mapped[datetime] = mapped_column(
        comment="When it was decided, and so known."
    )

    @classmethod
    def get_latest(
        cls, session: Session, limit: int = 20, kind: DecisionKind | None = None
    ) -> list[Self]:
        """The newest decisions, newest first; of one kind only, if given."""
        query = sa.select(cls).order_by(cls.decided_at.desc(), cls.cryptocurrency_id)
        if kind is not None:
            query = query.where(cls.kind == kind)
        return list(session.scalars(query.limit(limit)))

    @classmethod
    def get_range(cls, session: Session, start: datetime, end: datetime) -> list[Self]:
        """Decisions made in [start, end), oldest first."""
        query = (
            sa.select(cls)
            .where(cls.decided_at >= start, cls.decided_at < end)
            .order_by(cls.decided_at, cls.cryptocurrency_id)
        )
        return list(session.scalars(query))

    @classmethod
    def get_by_run_id(cls, session: Session, run_id: uuid.UUID) -> list[Self]:
        """Decisions of one run, oldest first."""
        query = (
            sa.select(cls)
            .where(cls.run_id == run_id)
            .order_by(cls.decided_at, cls.cryptocurrency_id)
        )
        return list(session.scalars(query))
