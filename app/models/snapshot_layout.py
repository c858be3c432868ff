"""What the packed figures of snapshots mean: their names, once and not in every row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.models.base import BaseModel

# Once listed as warming up in spite of values: their rows tell.
_LISTED_WITH_VALUES = ("structure", "volatility")


@dataclass(frozen=True, slots=True)
class LayoutKey:
    """The content of a layout; equal content is stored once."""

    timeframes: tuple[str, ...]
    names: tuple[str, ...]
    warming_up: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the content."""
        text = json.dumps([self.timeframes, self.names, self.warming_up])
        return hashlib.sha256(text.encode()).hexdigest()


class SnapshotLayout(BaseModel):
    """Names of a snapshot's figures in their order, and which still warmed up.

    A configuration has one layout for markets with all their history, and one for each
    combination of outputs that markets with less of it lack: some dozens. A figure that
    is NULL is warming up where its name is in `warming_up`, else it is undefined or
    absent. None that is listed has a value. That costs a snapshot nothing, and finds
    those with a value by index.
    """

    __tablename__ = "snapshot_layouts"
    __table_args__ = (
        sa.UniqueConstraint("digest"),
        {"comment": "Names of the packed figures of market_snapshots."},
    )

    id: Mapped[int] = mapped_column(
        sa.Identity(), primary_key=True, comment="Key made by the database."
    )
    digest: Mapped[str] = mapped_column(
        comment="SHA-256 (hex) of the other columns, which finds them again."
    )
    timeframes: Mapped[list[str]] = mapped_column(
        postgresql.ARRAY(sa.Text()),
        comment="Time frames, shortest first: the order of bar_at and regimes.",
    )
    names: Mapped[list[str]] = mapped_column(
        postgresql.ARRAY(sa.Text()),
        comment="Names of the figures, in order: `5m.rsi_14`, `sentiment.momentum`.",
    )
    warming_up: Mapped[list[str]] = mapped_column(
        postgresql.ARRAY(sa.Text()),
        comment="Figures and columns whose declared bars were not all there yet.",
    )

    @classmethod
    def get_or_add(
        cls, session: Session, keys: Iterable[LayoutKey]
    ) -> Mapping[LayoutKey, int]:
        """The id of each layout; those not there yet are added."""
        wanted = {key.digest: key for key in keys}
        found = cls._ids(session, list(wanted))
        missing = sorted(wanted.keys() - found.keys())
        if missing:
            rows = [
                {
                    "digest": digest,
                    "timeframes": list(wanted[digest].timeframes),
                    "names": list(wanted[digest].names),
                    "warming_up": list(wanted[digest].warming_up),
                }
                for digest in missing
            ]
            # Another writer may add the same: then its row is as good.
            session.execute(insert(cls).on_conflict_do_nothing(), rows)
            found |= cls._ids(session, missing)
        return {key: found[digest] for digest, key in wanted.items()}

    @classmethod
    def _ids(cls, session: Session, digests: Sequence[str]) -> dict[str, int]:
        query = sa.select(cls.digest, cls.id).where(cls.digest.in_(digests))
        return {row.digest: row.id for row in session.execute(query)}

    @classmethod
    def get_positions(cls, session: Session, name: str) -> dict[int, int]:
        """Place of a figure, counted from 1, in each layout that may hold a value."""
        wanted = sa.cast([name], postgresql.ARRAY(sa.Text()))
        query = sa.select(
            cls.id, sa.func.array_position(cls.names, name).label("position")
        ).where(cls.names.contains(wanted))
        if name.partition(".")[2].partition(".")[0] not in _LISTED_WITH_VALUES:
            query = query.where(~cls.warming_up.contains(wanted))
        return {row.id: row.position for row in session.execute(query)}

    def key(self) -> LayoutKey:
        """Its content."""
        return LayoutKey(
            tuple(self.timeframes), tuple(self.names), tuple(self.warming_up)
        )

    @classmethod
    def find_by_key(cls, session: Session, key: LayoutKey) -> Self | None:
        """The layout of this content."""
        return session.scalar(sa.select(cls).where(cls.digest == key.digest))
