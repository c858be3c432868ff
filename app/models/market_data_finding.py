"""What checks of stored bars found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin, UuidKeyMixin


class MarketDataFinding(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """A bar that a check disagrees with; the bar itself stays as it was served."""

    __tablename__ = "market_data_findings"
    __table_args__ = (
        sa.UniqueConstraint("fingerprint"),
        sa.Index(
            "ix_market_data_findings_bar", "cryptocurrency_id", "timeframe", "timestamp"
        ),
        {"comment": "Bars that a check disagrees with, both values kept."},
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"), comment="The market."
    )
    timeframe: Mapped[Timeframe] = mapped_column(comment="Length of the bar.")
    timestamp: Mapped[datetime] = mapped_column(comment="Open time of the bar, UTC.")
    rule: Mapped[str] = mapped_column(comment="The check that found it.")
    stored: Mapped[dict[str, Any]] = mapped_column(
        comment="The bar's values that the finding is about, by name."
    )
    expected: Mapped[dict[str, Any]] = mapped_column(
        comment="What the check compared them with, by name."
    )
    known_at: Mapped[datetime] = mapped_column(comment="When it was first found.")
    fingerprint: Mapped[str] = mapped_column(
        comment="SHA-256 (hex) of series, bar, rule and both values."
    )

    @classmethod
    def store(cls, session: Session, rows: Iterable[Self]) -> int:
        """Insert unsaved `rows`, skipping findings already kept; how many were new.

        Fills in `fingerprint`.
        """
        values = []
        for row in rows:
            row.fingerprint = _fingerprint(row)
            given = sa.inspect(row).dict
            values.append({k: v for k, v in given.items() if k in cls.__table__.c})
        if not values:
            return 0
        # Sorted, so that two writers of the same findings cannot deadlock.
        values.sort(key=lambda value: str(value["fingerprint"]))
        statement = (
            postgresql.insert(cls)
            .values(values)
            .on_conflict_do_nothing(index_elements=[cls.fingerprint])
            .returning(cls.id)
        )
        return len(session.execute(statement).all())

    @classmethod
    def get_for_series(
        cls, session: Session, cryptocurrency_id: int, timeframe: Timeframe
    ) -> list[Self]:
        """Findings of one series, oldest bar first."""
        query = (
            sa.select(cls)
            .where(
                cls.cryptocurrency_id == cryptocurrency_id, cls.timeframe == timeframe
            )
            .order_by(cls.timestamp, cls.rule, cls.known_at)
        )
        return list(session.scalars(query))


def _fingerprint(row: MarketDataFinding) -> str:
    parts = [
        row.cryptocurrency_id,
        row.timeframe.value,
        row.timestamp.isoformat(),
        row.rule,
        row.stored,
        row.expected,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
