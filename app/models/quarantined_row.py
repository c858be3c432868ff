"""Items an exchange sent that no market can have produced, kept as they came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.domain.timeframe import Timeframe
from app.models.base import BaseModel
from app.models.mixins import RunMixin, TimestampMixin, UuidKeyMixin


class QuarantinedRow(UuidKeyMixin, RunMixin, TimestampMixin, BaseModel):
    """One refused item with its raw text and the rule that refused it."""

    __tablename__ = "quarantine"
    __table_args__ = (
        sa.UniqueConstraint("fingerprint"),
        sa.Index("ix_quarantine_known_at", "known_at"),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolution IS NULL)",
            name="resolved_with_resolution",
        ),
        {"comment": "Refused items, raw; the same item is kept once."},
    )

    exchange: Mapped[str] = mapped_column(comment="Exchange that sent it.")
    symbol: Mapped[str] = mapped_column(comment="Unified symbol it was about.")
    timeframe: Mapped[Timeframe | None] = mapped_column(
        comment="Time frame, for a bar; else NULL."
    )
    what: Mapped[str] = mapped_column(comment="Kind of item: candle, ticker, ...")
    rule: Mapped[str] = mapped_column(comment="The rule that refused it.")
    raw: Mapped[str] = mapped_column(comment="The item as it came.")
    figures: Mapped[dict[str, Any] | None] = mapped_column(
        comment="Figures the rule looked at, by name."
    )
    occurred_at: Mapped[datetime | None] = mapped_column(
        comment="The time the item claims, where it can be read."
    )
    known_at: Mapped[datetime] = mapped_column(comment="When it was first refused.")
    fingerprint: Mapped[str] = mapped_column(
        comment="SHA-256 (hex) of exchange, symbol, time frame, what, rule and raw."
    )

    retried_at: Mapped[datetime | None] = mapped_column(
        comment="When it was last judged again."
    )
    resolved_at: Mapped[datetime | None] = mapped_column(
        comment="When it was settled; NULL: still refused."
    )
    resolution: Mapped[str | None] = mapped_column(
        comment="How it was settled, for example stored or replaced."
    )

    @staticmethod
    def fingerprint_of(
        exchange: str,
        symbol: str,
        timeframe: Timeframe | None,
        what: str,
        rule: str,
        raw: str,
    ) -> str:
        """Hash by which the same refused item is recognised."""
        frame = timeframe.value if timeframe else None
        # JSON keeps the parts apart: ("ab", "c") and ("a", "bc") differ.
        text = json.dumps([exchange, symbol, frame, what, rule, raw])
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def store(cls, session: Session, rows: Iterable[Self]) -> int:
        """Insert unsaved `rows`, skipping items already kept; how many were new.

        Fills in `fingerprint`.
        """
        values = []
        for row in rows:
            row.fingerprint = cls.fingerprint_of(
                row.exchange, row.symbol, row.timeframe, row.what, row.rule, row.raw
            )
            given = sa.inspect(row).dict
            values.append({k: v for k, v in given.items() if k in cls.__table__.c})
        if not values:
            return 0
        # Sorted, so that two writers of the same items cannot deadlock.
        values.sort(key=lambda value: str(value["fingerprint"]))
        names = set().union(*values)
        complete = [{name: value.get(name) for name in names} for value in values]
        statement = (
            postgresql.insert(cls)
            .values(complete)
            .on_conflict_do_nothing(index_elements=[cls.fingerprint])
            .returning(cls.id)
        )
        return len(session.execute(statement).all())

    @classmethod
    def find_known(cls, session: Session, fingerprints: Iterable[str]) -> set[str]:
        """Those of `fingerprints` that are kept already."""
        wanted = sorted(set(fingerprints))
        query = sa.select(cls.fingerprint).where(cls.fingerprint.in_(wanted))
        return set(session.scalars(query))

    @classmethod
    def count_by_rule(
        cls, session: Session, exchange: str, since: datetime
    ) -> dict[tuple[str, str], int]:
        """Items of an exchange kept since then, by (kind, rule)."""
        query = (
            sa.select(cls.what, cls.rule, sa.func.count())
            .where(cls.known_at >= since, cls.exchange == exchange)
            .group_by(cls.what, cls.rule)
        )
        return {(what, rule): count for what, rule, count in session.execute(query)}

    @classmethod
    def add_overflow(cls, session: Session, row: Self, not_kept: int) -> None:
        """Add to the count of items that `row`, made on first use, stands for."""
        row.fingerprint = cls.fingerprint_of(
            row.exchange, row.symbol, row.timeframe, row.what, row.rule, row.raw
        )
        given = sa.inspect(row).dict
        values = {k: v for k, v in given.items() if k in cls.__table__.c}
        values["figures"] = {"not_kept": not_kept}
        statement = postgresql.insert(cls).values(values)
        before = sa.cast(cls.figures["not_kept"].astext, sa.BigInteger)
        total = sa.func.jsonb_build_object("not_kept", before + not_kept)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[cls.fingerprint],
                set_={"figures": total, "updated_at": sa.func.now()},
            )
        )

    @classmethod
    def get_filtered(
        cls,
        session: Session,
        exchange: str | None = None,
        symbol: str | None = None,
        rule: str | None = None,
        since: datetime | None = None,
        is_unresolved: bool = False,
        limit: int | None = None,
    ) -> list[Self]:
        """The items that match, newest first."""
        query = sa.select(cls)
        for column, value in (
            (cls.exchange, exchange),
            (cls.symbol, symbol),
            (cls.rule, rule),
        ):
            if value is not None:
                query = query.where(column == value)
        if since is not None:
            query = query.where(cls.known_at >= since)
        if is_unresolved:
            query = query.where(cls.resolved_at.is_(None))
        query = query.order_by(cls.known_at.desc(), cls.id).limit(limit)
        return list(session.scalars(query))

    @classmethod
    def find_by_prefix(cls, session: Session, prefix: str) -> list[Self]:
        """Up to two items whose id begins with `prefix`."""
        text = sa.cast(cls.id, sa.Text)
        query = sa.select(cls).where(
            text.startswith(prefix.strip().lower(), autoescape=True)
        )
        return list(session.scalars(query.order_by(cls.id).limit(2)))
