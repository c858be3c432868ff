"""Up to which instant what we knew is settled."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import BaseModel


class KnowledgeHorizon(BaseModel):
    """One row: as-of reads up to `settled_until` never change.

    Written by `app.models.knowledge`, which every writer of bars goes through.
    """

    __tablename__ = "knowledge_horizon"
    __table_args__ = (
        sa.CheckConstraint("id = 1", name="one_row"),
        {"comment": "One row: the instant up to which as-of reads never change."},
    )

    id: Mapped[int] = mapped_column(
        sa.SmallInteger(),
        primary_key=True,
        autoincrement=False,
        comment="Always 1: there is one horizon.",
    )
    settled_until: Mapped[datetime] = mapped_column(
        comment="No bar will become known at this instant or earlier any more, by the "
        "clock in use."
    )
    published_at: Mapped[datetime] = mapped_column(
        server_default=sa.func.now(),
        comment="When that was found (database clock, real time).",
    )
