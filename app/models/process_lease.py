"""Who does a piece of work that only one may do."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import BaseModel
from app.models.mixins import TimestampMixin


class ProcessLease(TimestampMixin, BaseModel):
    """A lease that must be renewed, and the epoch that fences off older holders.

    It runs on the database's clock: the machines of two holders may disagree.
    """

    __tablename__ = "process_leases"
    __table_args__ = (
        sa.CheckConstraint("epoch >= 1", name="epoch_from_one"),
        {"comment": "Which run does a piece of work that only one may do."},
    )

    name: Mapped[str] = mapped_column(
        primary_key=True, comment="The work that is owned."
    )
    holder: Mapped[str] = mapped_column(comment="Who does it: run and process.")
    epoch: Mapped[int] = mapped_column(
        sa.BigInteger(),
        comment="Goes up with each change of hands; older holders may not write.",
    )
    expires_at: Mapped[datetime] = mapped_column(
        comment="Until when it is held unless renewed (database clock, real time)."
    )
