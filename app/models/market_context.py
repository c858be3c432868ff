"""What all markets together did at a snapshot boundary."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import RunMixin


class MarketContextRow(RunMixin, BaseModel):
    """Breadth and BTC's impulse: the same for every snapshot of the boundary.

    Held once a boundary and time frame, not in each market's snapshot.
    """

    __tablename__ = "market_context"
    __table_args__ = (
        {"comment": "Breadth and BTC's impulse at each snapshot boundary."},
    )

    exchange: Mapped[str] = mapped_column(primary_key=True, comment="ccxt exchange id.")
    timestamp: Mapped[datetime] = mapped_column(
        primary_key=True, comment="The snapshot boundary, UTC."
    )
    timeframe: Mapped[Timeframe] = mapped_column(
        primary_key=True, comment="Time frame of the bars it was read from."
    )
    known_at: Mapped[datetime] = mapped_column(comment="When it was taken.")
    bar_at: Mapped[datetime | None] = mapped_column(
        comment="Open time of the newest bar of all markets; NULL: no bar."
    )
    markets: Mapped[int] = mapped_column(comment="Markets that have that bar.")
    stale: Mapped[int] = mapped_column(
        comment="Markets whose bars end earlier; they count nowhere else."
    )
    advancing: Mapped[int] = mapped_column(comment="Closed above the bar before.")
    declining: Mapped[int] = mapped_column(comment="Closed below the bar before.")
    unchanged: Mapped[int] = mapped_column(comment="Closed where the bar before did.")
    judged_by_ema: Mapped[int] = mapped_column(comment="Markets with an EMA of 50.")
    above_ema: Mapped[int] = mapped_column(comment="Of these, those above it.")
    judged_by_range: Mapped[int] = mapped_column(
        comment="Markets with 100 bars before the newest."
    )
    new_highs: Mapped[int] = mapped_column(comment="Of these, closes above them all.")
    new_lows: Mapped[int] = mapped_column(comment="Of these, closes below them all.")
    breadth: Mapped[float | None] = mapped_column(
        comment="Lean of the breadth, -1 to 1; NULL: no market to judge."
    )
    btc_impulse: Mapped[str | None] = mapped_column(
        comment="up, down or none; NULL: no BTC bars, or too few."
    )
    btc_impulse_atr: Mapped[float | None] = mapped_column(
        comment="BTC's move over the last 3 bars in ATRs, signed."
    )

    @classmethod
    def get_at(
        cls, session: Session, exchange: str, timestamp: datetime
    ) -> dict[Timeframe, Self]:
        """The context of a boundary, by time frame."""
        query = sa.select(cls).where(
            cls.exchange == exchange, cls.timestamp == timestamp
        )
        return {row.timeframe: row for row in session.scalars(query)}
