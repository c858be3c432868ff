"""Values of bars that the exchange corrected later."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel


class MarketDataRevision(BaseModel):
    """A superseded value of a bar, known to us over [known_from, known_to).

    The view `market_data_history` joins these with the current values, and the
    function `market_data_as_of(instant)` picks what was known then.
    """

    __tablename__ = "market_data_revisions"
    __table_args__ = (
        sa.CheckConstraint("known_to > known_from", name="interval_not_empty"),
        {"comment": "Superseded bars; read through market_data_as_of(instant)."},
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        primary_key=True,
        autoincrement=False,
        comment="The market (cryptocurrencies.id; no foreign key, as market_data).",
    )
    timeframe: Mapped[Timeframe] = mapped_column(
        primary_key=True, comment="Length of the bar."
    )
    timestamp: Mapped[datetime] = mapped_column(
        primary_key=True, comment="Open time of the bar, UTC."
    )
    known_from: Mapped[datetime] = mapped_column(
        primary_key=True, comment="When we first had this value."
    )
    known_to: Mapped[datetime] = mapped_column(
        comment="When a later value replaced it (exclusive)."
    )
    open: Mapped[float] = mapped_column(comment="First price, quote currency.")
    high: Mapped[float] = mapped_column(comment="Highest price, quote currency.")
    low: Mapped[float] = mapped_column(comment="Lowest price, quote currency.")
    close: Mapped[float] = mapped_column(comment="Last price, quote currency.")
    volume: Mapped[float] = mapped_column(comment="Amount traded, base currency.")
