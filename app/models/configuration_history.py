"""The configuration of every run, so that each row can be traced to its rules."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.models.base import BaseModel
from app.models.mixins import TimestampMixin, UuidKeyMixin


class ConfigurationHistory(UuidKeyMixin, TimestampMixin, BaseModel):
    """One run of a process, with the configuration it ran under."""

    __tablename__ = "configuration_history"
    __table_args__ = (
        sa.UniqueConstraint("run_id"),
        sa.CheckConstraint("ended_at >= started_at", name="ends_after_start"),
        sa.Index(
            "ix_configuration_history_process_started_at", "process", "started_at"
        ),
        {"comment": "One row per run: its configuration, secrets redacted."},
    )

    run_id: Mapped[uuid.UUID] = mapped_column(
        comment="Name of the run; every later row points here."
    )
    process: Mapped[str] = mapped_column(comment="Which process ran, or `up`.")
    configuration: Mapped[dict[str, Any]] = mapped_column(
        comment="The whole configuration, secrets redacted."
    )
    sha256: Mapped[str] = mapped_column(
        comment="SHA-256 (hex) of the canonical configuration text."
    )
    requirements: Mapped[dict[str, Any] | None] = mapped_column(
        comment="By time frame and figure of this run's snapshots: what it is, the "
        "bars it needs, where an endless sum starts; NULL: the run took none."
    )
    code_version: Mapped[str] = mapped_column(comment="Version of the program.")
    started_at: Mapped[datetime] = mapped_column(
        comment="Start of the run, by the clock in use."
    )
    ended_at: Mapped[datetime | None] = mapped_column(
        comment="Orderly end of the run, by the clock in use; NULL: running or killed."
    )

    @classmethod
    def find_by_run_id(cls, session: Session, run_id: uuid.UUID) -> Self | None:
        """The run named `run_id`."""
        return session.scalar(sa.select(cls).where(cls.run_id == run_id))

    @classmethod
    def find_run_at(cls, session: Session, process: str, at: datetime) -> Self | None:
        """The run of `process` that was the current one at `at`.

        This is how a bar is traced: `market_data` has no run id (16 bytes on each
        row), but its `known_at` falls into exactly one run of the collector. A
        killed run has no end, so the newest start at or before `at` decides.
        """
        return session.scalar(
            sa.select(cls)
            .where(cls.process == process, cls.started_at <= at)
            .order_by(cls.started_at.desc(), cls.created_at.desc())
            .limit(1)
        )

    @classmethod
    def get_latest(cls, session: Session, limit: int = 1) -> list[Self]:
        """The newest runs, newest first."""
        query = sa.select(cls).order_by(cls.started_at.desc()).limit(limit)
        return list(session.scalars(query))
