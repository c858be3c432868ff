"""How far each series is accounted for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.gap import GapReason
from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin


class SeriesCursor(RunMixin, TimestampMixin, BaseModel):
    """First bar, last bar and watermark of a series, so that nobody scans for them.

    Its row lock is also what makes one transaction at a time the writer of the
    series' bars: see `app.models.series_lock.lock_cursors`.
    """

    __tablename__ = "series_cursors"
    __table_args__ = (
        sa.CheckConstraint(
            "watermark_at >= history_from", name="watermark_not_before_history"
        ),
        sa.CheckConstraint("last_bar_at >= first_bar_at", name="last_not_before_first"),
        sa.CheckConstraint(
            "(first_bar_at IS NULL) = (last_bar_at IS NULL)", name="both_ends_or_none"
        ),
        sa.CheckConstraint("bars >= 0 AND revisions >= 0", name="counts_not_negative"),
        sa.CheckConstraint(
            "(pending_reason IS NULL) = (pending_since IS NULL)",
            name="pending_reason_with_time",
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (close_reason IS NULL)", name="closed_with_reason"
        ),
        {
            "comment": "One row per series: where its history starts and ends.",
            # Room to update a row in its page, as happens at each bar.
            "postgresql_with": {"fillfactor": 50},
        },
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"),
        primary_key=True,
        autoincrement=False,
        comment="The market.",
    )
    timeframe: Mapped[Timeframe] = mapped_column(
        primary_key=True, comment="Length of the bars."
    )
    history_from: Mapped[datetime] = mapped_column(
        comment="Open time of the first slot that is accounted for."
    )
    watermark_at: Mapped[datetime] = mapped_column(
        comment="Open time of the first slot not accounted for: every slot before "
        "it, from history_from on, is stored or in the gap ledger."
    )
    first_bar_at: Mapped[datetime | None] = mapped_column(
        comment="Open time of the oldest stored bar; NULL: none."
    )
    last_bar_at: Mapped[datetime | None] = mapped_column(
        comment="Open time of the newest stored bar; NULL: none."
    )
    bars: Mapped[int] = mapped_column(
        sa.BigInteger(), server_default=sa.text("0"), comment="Number of stored bars."
    )
    revisions: Mapped[int] = mapped_column(
        sa.BigInteger(),
        server_default=sa.text("0"),
        comment="Number of superseded values kept.",
    )
    pending_reason: Mapped[GapReason | None] = mapped_column(
        comment="Why slots from the watermark on are late; NULL: they are not."
    )
    pending_since: Mapped[datetime | None] = mapped_column(
        comment="When that was noticed."
    )
    rechecked_until: Mapped[dict[str, Any]] = mapped_column(
        server_default=sa.text("'{}'::jsonb"),
        comment="By delay in seconds: open time of the first bar not yet read again "
        "so long after its close.",
    )
    closed_at: Mapped[datetime | None] = mapped_column(
        comment="End of the series: no slot from here on is expected."
    )
    close_reason: Mapped[str | None] = mapped_column(
        comment="Why the series ended, for example delisted."
    )

    @classmethod
    def find(
        cls, session: Session, cryptocurrency_id: int, timeframe: Timeframe
    ) -> Self | None:
        """The cursor of one series."""
        return session.get(cls, (cryptocurrency_id, timeframe))

    @classmethod
    def get_for_markets(
        cls, session: Session, cryptocurrency_ids: Iterable[int]
    ) -> dict[tuple[int, Timeframe], Self]:
        """Cursors of every series of these markets, by (market key, time frame)."""
        query = sa.select(cls).where(
            cls.cryptocurrency_id.in_(sorted(set(cryptocurrency_ids)))
        )
        return {
            (row.cryptocurrency_id, row.timeframe): row
            for row in session.scalars(query)
        }
