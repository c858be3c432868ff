"""What each background process last said about itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.process import ProcessState
from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin


class ProcessHeartbeat(RunMixin, TimestampMixin, BaseModel):
    """State, last success and lag of one process."""

    __tablename__ = "process_heartbeats"
    __table_args__ = (
        sa.CheckConstraint("ticks >= 0 AND errors >= 0", name="counts_not_negative"),
        {"comment": "One row per process: its newest heartbeat."},
    )

    process: Mapped[str] = mapped_column(primary_key=True, comment="The process.")
    pid: Mapped[int] = mapped_column(comment="Its process id.")
    host: Mapped[str] = mapped_column(comment="The machine it runs on.")
    state: Mapped[ProcessState] = mapped_column(comment="What it was doing.")
    started_at: Mapped[datetime] = mapped_column(
        comment="When it started, by the clock in use."
    )
    beat_at: Mapped[datetime] = mapped_column(
        comment="When it said so, by the clock in use (virtual in a replay)."
    )
    real_beat_at: Mapped[datetime] = mapped_column(
        comment="When it said so, in real time: tells whether it is alive."
    )
    last_success_at: Mapped[datetime | None] = mapped_column(
        comment="When a pass last went through, by the clock in use."
    )
    lag_seconds: Mapped[float | None] = mapped_column(
        comment="How far its data is behind the clock in use, in seconds."
    )
    ticks: Mapped[int] = mapped_column(
        sa.BigInteger, server_default=sa.text("0"), comment="Passes of this run."
    )
    errors: Mapped[int] = mapped_column(
        sa.BigInteger, server_default=sa.text("0"), comment="Failed passes of this run."
    )
    last_error: Mapped[str | None] = mapped_column(
        comment="The last failure's message."
    )
    detail: Mapped[dict[str, Any]] = mapped_column(
        server_default=sa.text("'{}'::jsonb"), comment="What the last pass did."
    )

    @classmethod
    def get_all(cls, session: Session) -> list[Self]:
        """The newest heartbeat of every process, by name."""
        return list(session.scalars(sa.select(cls).order_by(cls.process)))
