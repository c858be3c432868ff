"""The universe as it was: every admission and rejection with its reasons."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.universe import RejectionReason
from app.models.base import BaseModel
from app.models.column_types import EnumText
from app.models.cryptocurrency import Cryptocurrency
from app.models.mixins import RunMixin, TimestampMixin, UuidKeyMixin


class UniverseMembership(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """Whether a market was admitted, and why not, over [valid_from, valid_to)."""

    __tablename__ = "universe_membership"
    __table_args__ = (
        sa.CheckConstraint("valid_to > valid_from", name="interval_not_empty"),
        sa.CheckConstraint(
            "admitted = (cardinality(reasons) = 0)", name="rejected_for_a_reason"
        ),
        sa.Index(
            "uq_universe_membership_open",
            "cryptocurrency_id",
            unique=True,
            postgresql_where=sa.text("valid_to IS NULL"),
        ),
        sa.Index(
            "ix_universe_membership_cryptocurrency_id_valid_from",
            "cryptocurrency_id",
            "valid_from",
        ),
        {"comment": "Verdicts of the market filter, each with its validity interval."},
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"), comment="The market judged."
    )
    admitted: Mapped[bool] = mapped_column(comment="Whether it is collected.")
    reasons: Mapped[list[RejectionReason]] = mapped_column(
        postgresql.ARRAY(EnumText(RejectionReason)),
        comment="Rules that rejected it; empty where admitted.",
    )
    figures: Mapped[dict[str, Any]] = mapped_column(
        comment="Figures the rules looked at, by name."
    )
    valid_from: Mapped[datetime] = mapped_column(
        comment="From when the verdict held; also when it was known."
    )
    valid_to: Mapped[datetime | None] = mapped_column(
        comment="Until when it held (exclusive); NULL: still does."
    )

    @classmethod
    def get_current(
        cls, session: Session, exchange: str
    ) -> list[tuple[Cryptocurrency, Self]]:
        """Every market of `exchange` with its standing verdict, by symbol."""
        rows = session.execute(
            sa.select(Cryptocurrency, cls)
            .join(cls, cls.cryptocurrency_id == Cryptocurrency.id)
            .where(Cryptocurrency.exchange == exchange, cls.valid_to.is_(None))
            .order_by(Cryptocurrency.symbol)
        )
        return [(market, membership) for market, membership in rows]

    @classmethod
    def get_members_at(
        cls, session: Session, exchange: str, at: datetime
    ) -> list[Cryptocurrency]:
        """Markets of `exchange` that were admitted at `at`, by symbol."""
        return list(
            session.scalars(
                sa.select(Cryptocurrency)
                .join(cls, cls.cryptocurrency_id == Cryptocurrency.id)
                .where(
                    Cryptocurrency.exchange == exchange,
                    cls.admitted,
                    cls.valid_from <= at,
                    sa.or_(cls.valid_to.is_(None), cls.valid_to > at),
                )
                .order_by(Cryptocurrency.symbol)
            )
        )
