"""What a market looked like at a snapshot boundary."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.domain.regime import Regime
from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.column_types import UtcDateTime, native_enum
from app.models.mixins import RunMixin, finite_above_zero
from app.models.snapshot_layout import SnapshotLayout


class MarketSnapshot(RunMixin, BaseModel):
    """Indicators, structure, order book, volume and mood of a market at one instant.

    Bars are held by reference (the open time of the newest closed one), figures as one
    array whose names are in the layout: names in every row would double its size. In
    Python `indicators`, `figures_of` and `status_of` answer by name; in SQL the
    function `snapshot_indicator(snapshot, timeframe, name)` and the views
    `market_snapshot_figures` and `market_snapshot_book`. A row stays under 2,032 bytes
    with the default settings: longer ones PostgreSQL splits, which costs a sixth more.
    """

    __tablename__ = "market_snapshots"
    __table_args__ = (
        finite_above_zero("last_price"),
        sa.CheckConstraint("ask >= bid", name="book_not_crossed"),
        sa.Index("ix_market_snapshots_timestamp", "timestamp"),
        # Finds the newest snapshots of each layout that holds an indicator.
        sa.Index("ix_market_snapshots_layout_id_timestamp", "layout_id", "timestamp"),
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
        sa.REAL(), comment="Spread in basis points of the mid price."
    )
    quote_volume_24h: Mapped[float | None] = mapped_column(
        sa.REAL(), comment="Volume of the last 24 hours, quote currency."
    )
    bid_depth: Mapped[float | None] = mapped_column(
        sa.REAL(),
        comment="Value of those bids read (snapshot.order_book_depth levels) that lie "
        "within 50 basis points of the mid, quote currency.",
    )
    ask_depth: Mapped[float | None] = mapped_column(
        sa.REAL(),
        comment="Value of those asks read (snapshot.order_book_depth levels) that lie "
        "within 50 basis points of the mid, quote currency.",
    )
    book_imbalance: Mapped[float | None] = mapped_column(
        sa.REAL(),
        comment="(bid_depth - ask_depth) / (bid_depth + ask_depth) of the levels read, "
        "-1 to 1.",
    )
    regime: Mapped[Regime | None] = mapped_column(
        comment="Market regime on the middle time frame."
    )
    sentiment: Mapped[float | None] = mapped_column(
        sa.REAL(),
        comment="Sentiment, -1 to 1; its parts are figures named sentiment.*.",
    )
    btc_correlation: Mapped[float | None] = mapped_column(
        sa.REAL(),
        comment="Correlation of returns with Bitcoin's, -1 to 1; NULL: too few bars, "
        "or either lacks the bar that closed at the boundary.",
    )
    btc_beta: Mapped[float | None] = mapped_column(
        sa.REAL(),
        comment="Beta of returns to Bitcoin's; NULL as btc_correlation.",
    )
    is_asia: Mapped[bool] = mapped_column(
        server_default=sa.false(), comment="Whether Tokyo is open (0 to 9 UTC)."
    )
    is_london: Mapped[bool] = mapped_column(
        server_default=sa.false(), comment="Whether London is open (8 to 17 UTC)."
    )
    is_new_york: Mapped[bool] = mapped_column(
        server_default=sa.false(), comment="Whether New York is open (13 to 22 UTC)."
    )
    is_weekend: Mapped[bool] = mapped_column(
        server_default=sa.false(), comment="Whether it is Saturday or Sunday, UTC."
    )
    layout_id: Mapped[int] = mapped_column(
        sa.ForeignKey("snapshot_layouts.id"),
        comment="What the arrays hold, and which figures warm up.",
    )
    bar_at: Mapped[list[datetime | None]] = mapped_column(
        postgresql.ARRAY(UtcDateTime()),
        comment="Open time of the newest closed bar of each time frame; NULL: none.",
    )
    regimes: Mapped[list[Regime | None]] = mapped_column(
        postgresql.ARRAY(native_enum(Regime, "market_regime")),
        comment="Regime of each time frame; NULL: warming up.",
    )
    figures: Mapped[list[float | None]] = mapped_column(
        postgresql.ARRAY(sa.REAL()),
        comment="Indicators, structure, readings and parts, named by the layout.",
    )
    patterns: Mapped[dict[str, Any]] = mapped_column(
        comment="By time frame, confidence of each pattern that the last bar completed "
        "or confirmed; negative: bearish."
    )
    bid_levels: Mapped[int | None] = mapped_column(
        sa.SmallInteger(),
        comment="How many levels of the book are bids; NULL: no book.",
    )
    book_prices: Mapped[list[float] | None] = mapped_column(
        postgresql.ARRAY(sa.Double()),
        comment="Prices of the bids, then of the asks, best first each.",
    )
    book_amounts: Mapped[list[float | None] | None] = mapped_column(
        postgresql.ARRAY(sa.REAL()), comment="Their amounts, base currency."
    )

    layout: Mapped[SnapshotLayout] = relationship(lazy="select")

    @property
    def bars(self) -> dict[str, datetime | None]:
        """Open time of the newest closed bar, by time frame."""
        return dict(zip(self.layout.timeframes, self.bar_at, strict=True))

    @property
    def order_book(self) -> dict[str, list[list[float | None]]] | None:
        """`{"bids": [[price, amount], ...], "asks": [...]}`, best first, or None."""
        if self.book_prices is None or self.book_amounts is None:
            return None
        pairs = zip(self.book_prices, self.book_amounts, strict=True)
        levels: list[list[float | None]] = [list(pair) for pair in pairs]
        return {"bids": levels[: self.bid_levels], "asks": levels[self.bid_levels :]}

    @property
    def indicators(self) -> dict[str, dict[str, float | None]]:
        """All figures of bars by time frame and name; None: no value."""
        found: dict[str, dict[str, float | None]] = {
            timeframe: {} for timeframe in self.layout.timeframes
        }
        for path, value in zip(self.layout.names, self.figures, strict=True):
            timeframe, _, name = path.partition(".")
            if timeframe in found:
                found[timeframe][name] = value
        return found

    def figures_of(self, group: str) -> dict[str, float | None]:
        """Figures by what follows `group.` in their names: a time frame's, or
        `sentiment`'s."""
        start = f"{group}."
        return {
            path.removeprefix(start): value
            for path, value in zip(self.layout.names, self.figures, strict=True)
            if path.startswith(start)
        }

    def status_of(self, path: str) -> str:
        """`ok`, `warming_up` or `undefined` for a figure such as `5m.rsi_14`.

        Raises ValueError for a name that the layout does not have.
        """
        if self.figures[self.layout.names.index(path)] is not None:
            return "ok"
        return "warming_up" if path in self.layout.warming_up else "undefined"

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

        Layouts tell which snapshots may hold one, the index finds the newest of each.
        """
        places = SnapshotLayout.get_positions(session, f"{timeframe.value}.{name}")
        if not places:
            return []
        numbers = postgresql.ARRAY(sa.Integer)
        ids = sa.cast(list(places), numbers)
        positions = sa.cast(list(places.values()), numbers)
        columns = (sa.column("id", sa.Integer), sa.column("position", sa.Integer))
        wanted = sa.func.unnest(ids, positions).table_valued(*columns)
        wanted = wanted.render_derived(name="wanted")
        order = (cls.timestamp.desc(), cls.cryptocurrency_id)
        newest = (
            sa.select(cls)
            .where(
                cls.layout_id == wanted.c.id,
                cls.figures[wanted.c.position].is_not(None),
            )
            .order_by(*order)
            .limit(limit)
            .lateral("newest")
        )
        snapshot = sa.orm.aliased(cls, newest)
        query = (
            sa.select(snapshot)
            .select_from(wanted.join(newest, sa.true()))
            .order_by(snapshot.timestamp.desc(), snapshot.cryptocurrency_id)
            .limit(limit)
        )
        return list(session.scalars(query))

    @classmethod
    def get_by_run_id(cls, session: Session, run_id: uuid.UUID) -> list[Self]:
        """Snapshots one run wrote, oldest first."""
        query = sa.select(cls).where(cls.run_id == run_id).order_by(cls.timestamp)
        return list(session.scalars(query))
