"""The budget and the cooldown that all processes of one address share."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import BaseModel
from app.models.mixins import TimestampMixin, finite, finite_not_negative


class RateBudget(TimestampMixin, BaseModel):
    """A token bucket in the database, so that it survives and is shared."""

    __tablename__ = "rate_budgets"
    __table_args__ = (
        sa.CheckConstraint("bans >= 0", name="bans_not_negative"),
        finite("tokens"),
        finite_not_negative("spent"),
        {
            "comment": "One row per exchange and address: budget and cooldown of all "
            "processes."
        },
    )

    exchange: Mapped[str] = mapped_column(primary_key=True, comment="The exchange.")
    address: Mapped[str] = mapped_column(
        primary_key=True, comment="The address it is asked from, as configured."
    )
    tokens: Mapped[float] = mapped_column(
        comment="Units that may be spent at refilled_at."
    )
    refilled_at: Mapped[datetime] = mapped_column(
        comment="When the tokens were counted, by the clock in use."
    )
    cooldown_until: Mapped[datetime | None] = mapped_column(
        comment="Nothing is asked before this instant, by the clock in use."
    )
    bans: Mapped[int] = mapped_column(
        server_default=sa.text("0"),
        comment="Bans in a row, without a good answer between them.",
    )
    spent: Mapped[float] = mapped_column(
        server_default=sa.text("0"), comment="Units spent since the row was made."
    )
