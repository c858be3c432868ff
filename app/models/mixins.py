"""Columns that many tables share."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column


class UuidKeyMixin:
    """A surrogate key made by the database, for entities and events."""

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True,
        server_default=sa.text("gen_random_uuid()"),
        sort_order=-10,
        comment="Key made by the database.",
    )


class TimestampMixin:
    """When the row itself was written, by the database's clock.

    Bookkeeping of rows in real time; the instant a fact happened or was known has
    its own column, by the clock in use (which a replay may run faster).
    """

    created_at: Mapped[datetime] = mapped_column(
        server_default=sa.func.now(),
        sort_order=90,
        comment="When the row was inserted (database clock, real time).",
    )
    updated_at: Mapped[datetime] = mapped_column(
        server_default=sa.func.now(),
        onupdate=sa.func.now(),
        sort_order=91,
        comment="When the row was last changed (database clock, real time).",
    )


class RunMixin:
    """Traces a row to the run, and so to the configuration, that wrote it."""

    run_id: Mapped[uuid.UUID] = mapped_column(
        sa.ForeignKey("configuration_history.run_id"),
        sort_order=80,
        comment="Run that wrote this row (configuration_history.run_id).",
    )


def finite_above_zero(column: str) -> sa.CheckConstraint:
    """`column` is a positive number: `> 0` alone lets NaN and Infinity pass."""
    return sa.CheckConstraint(
        f"{column} > 0 AND {column} < 'Infinity'", name=f"{column}_positive"
    )


def finite_not_negative(column: str) -> sa.CheckConstraint:
    """`column` is zero or a positive number, not NaN and not Infinity."""
    return sa.CheckConstraint(
        f"{column} >= 0 AND {column} < 'Infinity'", name=f"{column}_not_negative"
    )


def finite(column: str) -> sa.CheckConstraint:
    """`column` is a number of either sign, not NaN and not Infinity."""
    return sa.CheckConstraint(
        f"{column} > '-Infinity' AND {column} < 'Infinity'", name=f"{column}_finite"
    )
