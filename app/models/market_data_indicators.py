"""Indicators of single bars."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel


class MarketDataIndicators(BaseModel):
    """Indicator values of one value of one bar.

    Beside `market_data` and not in it: a column that is NULL would cost each of its
    rows eight bytes. `known_at` tells the bar's value they were computed from, so that
    a correction of the bar never leaves it with the indicators of the old value.
    """

    __tablename__ = "market_data_indicators"
    __table_args__ = (
        {
            "comment": "Indicators of single bars; empty unless configuration asks "
            "for them."
        },
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
    known_at: Mapped[datetime] = mapped_column(
        primary_key=True,
        comment="Of which value of the bar they are: its market_data.known_at.",
    )
    indicators: Mapped[dict[str, Any]] = mapped_column(
        comment="Indicator values by name."
    )
