"""The gap ledger: every expected bar that is not stored, with its reason."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.gap import GapReason, GapStatus
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.cryptocurrency import Cryptocurrency
from app.models.mixins import RunMixin, TimestampMixin, UuidKeyMixin

_UNRESOLVED = (GapStatus.OPEN, GapStatus.REPAIRING)
_Row = TypeVar("_Row")


class MarketDataGap(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """A run of consecutive slots of one series without a stored bar."""

    __tablename__ = "market_data_gaps"
    __table_args__ = (
        sa.CheckConstraint("ends_at > starts_at", name="interval_not_empty"),
        sa.CheckConstraint("slots > 0", name="slots_positive"),
        sa.CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        sa.CheckConstraint("confirmations >= 0", name="confirmations_not_negative"),
        sa.CheckConstraint(
            "(status IN ('filled', 'confirmed_absent')) = (resolved_at IS NOT NULL)",
            name="resolved_when_final",
        ),
        sa.Index(
            "uq_market_data_gaps_missing",
            "cryptocurrency_id",
            "timeframe",
            "starts_at",
            unique=True,
            postgresql_where=sa.text("status <> 'filled'"),
        ),
        sa.Index(
            "ix_market_data_gaps_unresolved",
            "last_attempt_at",
            postgresql_where=sa.text("status IN ('open', 'repairing')"),
        ),
        {"comment": "Slots without a bar; with the bars they cover the grid exactly."},
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"), comment="The market."
    )
    timeframe: Mapped[Timeframe] = mapped_column(comment="Length of the bars.")
    starts_at: Mapped[datetime] = mapped_column(
        comment="Open time of the first missing bar."
    )
    ends_at: Mapped[datetime] = mapped_column(
        comment="Open time of the first slot after the gap (exclusive)."
    )
    slots: Mapped[int] = mapped_column(comment="Number of missing bars.")
    status: Mapped[GapStatus] = mapped_column(comment="Where its repair stands.")
    reason: Mapped[GapReason] = mapped_column(comment="Why the bars are missing.")
    detected_at: Mapped[datetime] = mapped_column(comment="When it was noticed.")
    resolved_at: Mapped[datetime | None] = mapped_column(
        comment="When it was filled or confirmed absent."
    )
    attempts: Mapped[int] = mapped_column(
        server_default=sa.text("0"), comment="How often a repair was tried."
    )
    last_attempt_at: Mapped[datetime | None] = mapped_column(
        comment="When a repair was last tried."
    )
    confirmations: Mapped[int] = mapped_column(
        server_default=sa.text("0"),
        comment="Independent answers, an hour apart at least, that had bars around "
        "these slots and none in them.",
    )
    last_answer_at: Mapped[datetime | None] = mapped_column(
        comment="When the last answer that counts was had."
    )

    @classmethod
    def get_due(
        cls,
        session: Session,
        exchange: str,
        now: datetime,
        *,
        first_pause: timedelta,
        longest_pause: timedelta,
        spacing: timedelta,
        limit: int,
    ) -> list[Self]:
        """Gaps of markets still listed whose next attempt is due, oldest try first.

        The pause after an attempt doubles from `first_pause` to `longest_pause`. An
        absence that has been confirmed before is asked about again once the next
        answer may count, `spacing` after the last one.

        They are locked; a gap that another writer is at work on is left out.
        """
        first = sa.literal(first_pause, sa.Interval())
        longest = sa.literal(longest_pause, sa.Interval())
        seconds = first_pause.total_seconds() * sa.func.power(
            2, sa.func.least(cls.attempts, 20)
        )
        doubled = sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        pause = sa.func.least(doubled, longest, type_=sa.Interval())
        last = sa.func.coalesce(cls.last_attempt_at, cls.detected_at)
        counts_again = sa.and_(
            cls.confirmations > 0,
            cls.last_answer_at + sa.literal(spacing, sa.Interval()) <= now,
            last + first <= now,
        )
        query = (
            sa.select(cls)
            .join(Cryptocurrency, Cryptocurrency.id == cls.cryptocurrency_id)
            .where(
                cls.status.in_(_UNRESOLVED),
                Cryptocurrency.exchange == exchange,
                Cryptocurrency.status != MarketStatus.DELISTED,
                sa.or_(last + pause <= now, counts_again),
            )
            .order_by(
                cls.last_attempt_at.asc().nulls_first(),
                cls.cryptocurrency_id,
                cls.timeframe,
                cls.starts_at,
            )
            .limit(limit)
        )
        return list(session.scalars(_locked(query)))

    @classmethod
    def get_repairing(
        cls, session: Session, cryptocurrency_ids: Collection[int]
    ) -> list[Self]:
        """Gaps of these markets for which an answer is awaited.

        They are locked; a gap that another writer is at work on is left out.
        """
        query = sa.select(cls).where(
            cls.cryptocurrency_id.in_(sorted(cryptocurrency_ids)),
            cls.status == GapStatus.REPAIRING,
        )
        return list(session.scalars(_locked(query)))

    @classmethod
    def get_for_series(
        cls,
        session: Session,
        cryptocurrency_id: int,
        timeframe: Timeframe,
        start: datetime | None = None,
        end: datetime | None = None,
        include_filled: bool = False,
    ) -> list[Self]:
        """Gaps of one series that touch [start, end), oldest first."""
        query = sa.select(cls).where(
            cls.cryptocurrency_id == cryptocurrency_id, cls.timeframe == timeframe
        )
        if not include_filled:
            query = query.where(cls.status != GapStatus.FILLED)
        if start is not None:
            query = query.where(cls.ends_at > start)
        if end is not None:
            query = query.where(cls.starts_at < end)
        return list(session.scalars(query.order_by(cls.starts_at, cls.detected_at)))


def _locked(query: sa.Select[_Row]) -> sa.Select[_Row]:
    """`query` with its gaps locked and read anew; none is waited for.

    Whoever stores bars changes and deletes gaps under the locks of their cursors,
    which these readers do not take: to wait for one here could end in a deadlock.
    """
    locked = query.with_for_update(of=MarketDataGap, skip_locked=True)
    return locked.execution_options(populate_existing=True)
