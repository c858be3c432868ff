"""Listings, delistings, renames and halts of markets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.market_event import MarketEventKind
from app.models.base import BaseModel
from app.models.column_types import EnumText
from app.models.cryptocurrency import Cryptocurrency
from app.models.mixins import RunMixin, TimestampMixin, UuidKeyMixin


class MarketEvent(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """Something that happened to a market, or to an exchange's list of them."""

    __tablename__ = "market_events"
    __table_args__ = (
        sa.Index("ix_market_events_market", "cryptocurrency_id", "known_at"),
        sa.Index("ix_market_events_exchange", "exchange", "known_at"),
        {"comment": "Listings, delistings, renames, halts; refused market lists."},
    )

    exchange: Mapped[str] = mapped_column(comment="The exchange.")
    cryptocurrency_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"),
        comment="The market; NULL: about the whole exchange.",
    )
    kind: Mapped[MarketEventKind] = mapped_column(
        EnumText(MarketEventKind), comment="What happened."
    )
    successor_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("cryptocurrencies.id"),
        comment="For a rename: the market under its new name.",
    )
    known_at: Mapped[datetime] = mapped_column(comment="When we came to know it.")
    detail: Mapped[dict[str, Any]] = mapped_column(
        server_default=sa.text("'{}'::jsonb"),
        comment="Figures and names that belong to it.",
    )

    @classmethod
    def get_for_market(cls, session: Session, cryptocurrency_id: int) -> list[Self]:
        """Events of one market, oldest first."""
        query = (
            sa.select(cls)
            .where(cls.cryptocurrency_id == cryptocurrency_id)
            .order_by(cls.known_at, cls.kind)
        )
        return list(session.scalars(query))

    @classmethod
    def find_open_refusal(cls, session: Session, exchange: str) -> Self | None:
        """The refused market list of an exchange that nothing has ended yet."""
        query = (
            sa.select(cls)
            .where(
                cls.exchange == exchange,
                cls.kind == MarketEventKind.SHRINK_REFUSED,
                ~cls.detail.has_key("ended_at"),
            )
            .order_by(cls.known_at.desc())
            .limit(1)
            .with_for_update()
        )
        return session.scalar(query)

    @classmethod
    def get_filtered(
        cls,
        session: Session,
        exchange: str | None = None,
        symbol: str | None = None,
        limit: int = 50,
    ) -> list[tuple[Self, str | None]]:
        """The newest events with the market's symbol, newest first."""
        query = sa.select(cls, Cryptocurrency.symbol).outerjoin(
            Cryptocurrency, Cryptocurrency.id == cls.cryptocurrency_id
        )
        if exchange is not None:
            query = query.where(cls.exchange == exchange)
        if symbol is not None:
            query = query.where(Cryptocurrency.symbol == symbol)
        newest = (cls.known_at.desc(), cls.kind, Cryptocurrency.symbol)
        rows = session.execute(query.order_by(*newest).limit(limit))
        return [(event, name) for event, name in rows]
