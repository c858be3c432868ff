"""What a market looked like at a snapshot boundary."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import RunMixin, finite_above_zero


class MarketSnapshot(RunMixin, BaseModel):
    """Indicators, order book, volume and mood of a market at one instant.

    Bars are held by reference (the open time of the newest closed one), which makes
    a snapshot a sixth of the size of one that copies them.
    """

    __tablename__ = "market_snapshots"
    __table_args__ = (
        finite_above_zero("last_price"),
        sa.CheckConstraint("ask >= bid", name="book_not_crossed"),
        sa.Index("ix_market_snapshots_timestamp", "timestamp"),
        sa.Index(
            "ix_market_snapshots_indicators", "indicators", postgresql_using="gin"
        ),
        {
            "comment": "What each market looked like, at each snapshot boundary; "
            "monthly partitions.",
            "postgresql_partition_by": "RANGE (timestamp)",
        },
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"),
        primary_key=True,
        autoincrement=False,
        comment="The market.",
    )
    timestamp: Mapped[datetime] = mapped_column(
        primary_key=True, comment="The snapshot boundary it describes, UTC."
    )
    known_at: Mapped[datetime] = mapped_column(comment="When it was taken.")
    last_price: Mapped[float | None] = mapped_column(
        comment="Last price, quote currency."
    )
    bid: Mapped[float | None] = mapped_column(comment="Best bid, quote currency.")
    ask: Mapped[float | None] = mapped_column(comment="Best ask, quote currency.")
    spread_bps: Mapped[float | None] = mapped_column(
        comment="Spread in basis points of the mid price."
    )
    quote_volume_24h: Mapped[float | None] = mapped_column(
        comment="Volume of the last 24 hours, quote currency."
    )
    bid_depth: Mapped[float | None] = mapped_column(
        comment="Value of the stored bid levels, quote currency."
    )
    ask_depth: Mapped[float | None] = mapped_column(
        comment="Value of the stored ask levels, quote currency."
    )
    book_imbalance: Mapped[float | None] = mapped_column(
        comment="(bid_depth - ask_depth) / (bid_depth + ask_depth), -1 to 1."
    )
    order_book: Mapped[dict[str, Any] | None] = mapped_column(
        comment='Order book: {"bids": [[price, amount], ...], "asks": [...]}.'
    )
    bars: Mapped[dict[str, Any]] = mapped_column(
        comment="Open time of the newest closed bar, by time frame."
    )
    indicators: Mapped[dict[str, Any]] = mapped_column(
        comment="Indicator values by time frame and name; null: still warming up."
    )
    regime: Mapped[str | None] = mapped_column(comment="Market regime.")
    sentiment: Mapped[float | None] = mapped_column(comment="Sentiment, -1 to 1.")
    btc_correlation: Mapped[float | None] = mapped_column(
        comment="Correlation of returns with Bitcoin's, -1 to 1."
    )

    @classmethod
    def get_latest(
        cls, session: Session, cryptocurrency_id: int, limit: int = 1
    ) -> list[Self]:
        """The newest `limit` snapshots of a market, oldest first."""
        query = (
            sa.select(cls)
            .where(cls.cryptocurrency_id == cryptocurrency_id)
            .order_by(cls.timestamp.desc())
            .limit(limit)
        )
        return list(session.scalars(query))[::-1]

    @classmethod
    def get_latest_of_each(
        cls, session: Session, cryptocurrency_ids: Iterable[int]
    ) -> dict[int, Self]:
        """The newest snapshot of each market that has one, by market key."""
        ids = sa.cast(sorted(set(cryptocurrency_ids)), sa.ARRAY(sa.Integer))
        wanted = sa.select(sa.func.unnest(ids).label("id")).subquery("wanted")
        newest = (
            sa.select(cls)
            .where(cls.cryptocurrency_id == wanted.c.id)
            .order_by(cls.timestamp.desc())
            .limit(1)
            .lateral("newest")
        )
        snapshot = sa.orm.aliased(cls, newest)
        query = sa.select(snapshot).select_from(wanted.join(newest, sa.true()))
        return {row.cryptocurrency_id: row for row in session.scalars(query)}

    @classmethod
    def get_range(
        cls, session: Session, cryptocurrency_id: int, start: datetime, end: datetime
    ) -> list[Self]:
        """Snapshots of a market in [start, end), oldest first."""
        query = (
            sa.select(cls)
            .where(
                cls.cryptocurrency_id == cryptocurrency_id,
                cls.timestamp >= start,
                cls.timestamp < end,
            )
            .order_by(cls.timestamp)
        )
        return list(session.scalars(query))

    @classmethod
    def get_with_specific_indicator(
        cls, session: Session, timeframe: Timeframe, name: str, limit: int = 100
    ) -> list[Self]:
        """Newest snapshots that hold a value (not null) of one indicator.

        The GIN index answers for rare indicators, the one on time for common ones.
        """
        # A JSON string literal is also a quoted jsonpath key, whatever the name.
        path = f"$.{json.dumps(timeframe.value)}.{json.dumps(name)} ? (@ != null)"
        query = (
            sa.select(cls)
            .where(cls.indicators.op("@?")(sa.cast(path, postgresql.JSONPATH)))
            .order_by(cls.timestamp.desc(), cls.cryptocurrency_id)
            .limit(limit)
        )
        return list(session.scalars(query))

    @classmethod
    def get_by_run_id(cls, session: Session, run_id: uuid.UUID) -> list[Self]:
        """Snapshots one run wrote, oldest first."""
        query = sa.select(cls).where(cls.run_id == run_id).order_by(cls.timestamp)
        return list(session.scalars(query))
