"""Closed bars of every series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import finite_above_zero, finite_not_negative
from app.models.series_cursor import SeriesCursor
from app.models.series_window import SeriesWindow, read_windows

# No bar opens later.
_NEVER: sa.ColumnElement[datetime] = sa.literal_column("'infinity'::timestamptz")


class MarketData(BaseModel):
    """One closed bar; the row of a bar the exchange corrected holds the newest value.

    Rows are many, so each byte counts: the key is natural, columns stand in an
    order without padding, none is NULL, prices are doubles (what exchanges deliver),
    and there is neither a foreign key (its trigger fires for each row of a COPY) nor
    a run id: a row is traced by `known_at`, see `ConfigurationHistory.find_run_at`.
    Write bars with `app.models.ingest.store_bars`, which keeps superseded values.
    """

    __tablename__ = "market_data"
    __table_args__ = (
        finite_above_zero("open"),
        finite_above_zero("high"),
        finite_above_zero("low"),
        finite_above_zero("close"),
        finite_not_negative("volume"),
        sa.CheckConstraint("high >= low", name="high_not_below_low"),
        {
            "comment": "Closed bars, newest value of each; monthly partitions.",
            "postgresql_partition_by": "RANGE (timestamp)",
        },
    )

    cryptocurrency_id: Mapped[int] = mapped_column(
        primary_key=True,
        autoincrement=False,
        comment="The market (cryptocurrencies.id; no foreign key, for bulk speed).",
    )
    timeframe: Mapped[Timeframe] = mapped_column(
        primary_key=True, comment="Length of the bar."
    )
    timestamp: Mapped[datetime] = mapped_column(
        primary_key=True, comment="Open time of the bar, UTC."
    )
    open: Mapped[float] = mapped_column(comment="First price, quote currency.")
    high: Mapped[float] = mapped_column(comment="Highest price, quote currency.")
    low: Mapped[float] = mapped_column(comment="Lowest price, quote currency.")
    close: Mapped[float] = mapped_column(comment="Last price, quote currency.")
    volume: Mapped[float] = mapped_column(comment="Amount traded, base currency.")
    known_at: Mapped[datetime] = mapped_column(
        comment="When we first had this value; also tells the collector's run."
    )

    @classmethod
    def get_latest(
        cls,
        session: Session,
        cryptocurrency_id: int,
        timeframe: Timeframe,
        limit: int = 1,
    ) -> list[Self]:
        """The newest `limit` bars of a series, oldest first."""
        query = (
            sa.select(cls)
            .where(
                cls.cryptocurrency_id == cryptocurrency_id, cls.timeframe == timeframe
            )
            .order_by(cls.timestamp.desc())
            .limit(limit)
        )
        return list(session.scalars(query))[::-1]

    @classmethod
    def get_range(
        cls,
        session: Session,
        cryptocurrency_id: int,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
    ) -> list[Self]:
        """Bars of a series that open in [start, end), oldest first."""
        query = (
            sa.select(cls)
            .where(
                cls.cryptocurrency_id == cryptocurrency_id,
                cls.timeframe == timeframe,
                cls.timestamp >= start,
                cls.timestamp < end,
            )
            .order_by(cls.timestamp)
        )
        return list(session.scalars(query))

    @classmethod
    def get_latest_of_each(
        cls, session: Session, cryptocurrency_ids: Iterable[int], timeframe: Timeframe
    ) -> dict[int, Self]:
        """The newest bar of each series that has one, by market key.

        One index probe a series (LATERAL): `DISTINCT ON` would read every bar. The
        cursor's last bar leaves out later partitions, which are made ahead of need
        and empty: each would cost every series a probe.
        """
        wanted = sa.select(
            sa.func.unnest(
                sa.cast(sorted(set(cryptocurrency_ids)), sa.ARRAY(sa.Integer))
            ).label("id")
        ).subquery("wanted")
        cursor = sa.and_(
            SeriesCursor.cryptocurrency_id == wanted.c.id,
            SeriesCursor.timeframe == timeframe,
        )
        newest = (
            sa.select(cls)
            .where(
                cls.cryptocurrency_id == wanted.c.id,
                cls.timeframe == timeframe,
                cls.timestamp <= sa.func.coalesce(SeriesCursor.last_bar_at, _NEVER),
            )
            .order_by(cls.timestamp.desc())
            .limit(1)
            .lateral("newest")
        )
        bar = sa.orm.aliased(cls, newest)
        query = sa.select(bar).select_from(
            wanted.outerjoin(SeriesCursor, cursor).join(newest, sa.true())
        )
        return {row.cryptocurrency_id: row for row in session.scalars(query)}

    @classmethod
    def get_for_indicators(
        cls,
        session: Session,
        cryptocurrency_ids: Sequence[int],
        timeframe: Timeframe,
        until: datetime,
        bars: int,
    ) -> dict[int, SeriesWindow]:
        """Windows of the `bars` slots that end with the bar opening at `until`.

        Bars ascend in time. Slots without a stored bar are simply not there, so a
        window may be shorter than `bars`; a series without any bar is left out.
        """
        return read_windows(session, cryptocurrency_ids, timeframe, until, bars)
