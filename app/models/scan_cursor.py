"""How far each strategy has judged the universe."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin


class ScanCursor(RunMixin, TimestampMixin, BaseModel):
    """Up to which bar close every member was judged by one strategy."""

    __tablename__ = "scan_cursors"
    __table_args__ = (
        sa.CheckConstraint(
            "evaluated_through >= inception_at", name="not_before_inception"
        ),
        {"comment": "One row per strategy and time frame: how far it has judged."},
    )

    strategy: Mapped[str] = mapped_column(primary_key=True, comment="The strategy.")
    timeframe: Mapped[Timeframe] = mapped_column(
        primary_key=True, comment="Time frame it judges."
    )
    inception_at: Mapped[datetime] = mapped_column(
        comment="Bar close from which it began to judge."
    )
    evaluated_through: Mapped[datetime] = mapped_column(
        comment="Bar close up to which every member of the universe was judged."
    )

    @classmethod
    def find(
        cls, session: Session, strategy: str, timeframe: Timeframe, lock: bool = False
    ) -> Self | None:
        """The cursor of a strategy; `lock` keeps other scanners out until commit."""
        return session.get(cls, (strategy, timeframe), with_for_update=lock or None)
