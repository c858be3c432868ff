"""One market on one exchange."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.exceptions import UnknownSymbol
from app.domain.market import MarketStatus
from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin, finite_above_zero


class Cryptocurrency(RunMixin, TimestampMixin, BaseModel):
    """A market, for example BTC/USDT on binance; delisted ones stay."""

    __tablename__ = "cryptocurrencies"
    __table_args__ = (
        sa.UniqueConstraint("exchange", "symbol"),
        finite_above_zero("price_tick"),
        finite_above_zero("amount_step"),
        sa.CheckConstraint(
            "last_seen_at >= first_seen_at", name="last_seen_after_first_seen"
        ),
        {"comment": "One row per market on one exchange; never deleted."},
    )

    # 4 bytes, because every time series row and index entry repeats it.
    id: Mapped[int] = mapped_column(
        sa.Identity(always=False), primary_key=True, comment="Short key of the market."
    )
    exchange: Mapped[str] = mapped_column(comment="Exchange id, as in configuration.")
    symbol: Mapped[str] = mapped_column(comment="Unified symbol, for example BTC/USDT.")
    exchange_symbol: Mapped[str] = mapped_column(comment="The exchange's own name.")
    base: Mapped[str] = mapped_column(comment="Currency traded.")
    quote: Mapped[str] = mapped_column(comment="Currency it is priced in.")
    status: Mapped[MarketStatus] = mapped_column(comment="Whether it trades.")
    price_tick: Mapped[float | None] = mapped_column(
        comment="Smallest price step, in quote currency."
    )
    amount_step: Mapped[float | None] = mapped_column(
        comment="Smallest amount step, in base currency."
    )
    min_notional: Mapped[float | None] = mapped_column(
        comment="Least order value, in quote currency."
    )
    market_cap: Mapped[float | None] = mapped_column(
        comment="Market capitalisation in quote currency; NULL: unknown."
    )
    first_seen_at: Mapped[datetime] = mapped_column(
        comment="When the exchange first listed it to us."
    )
    last_seen_at: Mapped[datetime] = mapped_column(
        comment="When the exchange last listed it to us."
    )
    delisted_at: Mapped[datetime | None] = mapped_column(
        comment="When it was first found gone from the exchange."
    )

    @classmethod
    def find_by_symbol(
        cls, session: Session, exchange: str, symbol: str
    ) -> Self | None:
        """The market, or None where it is not stored."""
        return session.scalar(
            sa.select(cls).where(cls.exchange == exchange, cls.symbol == symbol)
        )

    @classmethod
    def get_by_symbol(cls, session: Session, exchange: str, symbol: str) -> Self:
        """The market; raises UnknownSymbol where it is not stored."""
        market = cls.find_by_symbol(session, exchange, symbol)
        if market is None:
            raise UnknownSymbol(f"no market {symbol!r} of exchange {exchange!r} stored")
        return market

    @classmethod
    def get_by_ids(cls, session: Session, ids: Iterable[int]) -> dict[int, Self]:
        """The markets with these keys; unknown keys are left out."""
        query = sa.select(cls).where(cls.id.in_(sorted(set(ids))))
        return {market.id: market for market in session.scalars(query)}
