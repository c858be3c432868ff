"""Rebuilds indexes of bars that storing minute after minute left loose.

A bar a minute of each series splits the index's pages in their middle, again and
again: they stay three quarters full. Months that are over get no more bars, so that
rebuilding their indexes once brings back a fifth of them. Readers and writers go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.database_errors import translated_errors
from app.core.exceptions import WriteConflict
from app.domain.timeframe import Timeframe

# An entry takes 28 bytes with its pointer; built at once, pages are nine tenths full.
_LOOSE_BYTES_A_BAR = 34.0
# An index of few bars is mostly its first pages: nothing worth the work.
_SMALLEST_BYTES = 256 * 1024
# The longest a month's index may take; the server sets no limit of its own.
_SECONDS_A_MONTH = 6 * 3600.0
# One key of PostgreSQL's advisory locks, for this use alone.
_LOCK_KEY = 7_301_914_266_015

_OF_MONTHS = r"""
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'market_data'::regclass
  AND child.relname ~ '^market_data_\d{4}_\d{2}$'
"""
# The statistics of changes lag a second or so behind them.
_OUTDATED = sa.text(f"""
SELECT child.relname {_OF_MONTHS}
  AND (child.reltuples < 0 OR pg_stat_get_mod_since_analyze(child.oid) > 0)
ORDER BY child.relname
""")
_MONTHS = sa.text(f"""
SELECT child.relname, child.reltuples::bigint,
       pg_table_size(child.oid), pg_indexes_size(child.oid)
{_OF_MONTHS} ORDER BY child.relname
""")
# What an interrupted rebuild left behind.
_LEFT_OVER = sa.text(r"""
SELECT index.relname
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_inherits ON inhrelid = indrelid AND inhparent = 'market_data'::regclass
WHERE NOT indisvalid AND index.relname ~ '_cc(new|old)\d*$'
""")


@dataclass(frozen=True, slots=True)
class MonthSize:
    """The partition of a month (UTC): bars, and bytes of the table and its indexes."""

    name: str
    bars: int
    table_bytes: int
    index_bytes: int

    @property
    def month(self) -> datetime:
        """Its first instant."""
        year, month = self.name.split("_")[-2:]
        return datetime(int(year), int(month), 1, tzinfo=timezone.utc)

    @property
    def bytes_per_bar(self) -> float:
        """Of table and indexes; 0 without bars."""
        return (self.table_bytes + self.index_bytes) / self.bars if self.bars else 0.0

    def is_over(self, now: datetime) -> bool:
        """Whether no new bar opens in it any more."""
        return Timeframe.MN1.next_open(self.month) <= now

    @property
    def is_loose(self) -> bool:
        """Whether rebuilding its indexes would make them clearly smaller."""
        is_large = self.index_bytes >= _SMALLEST_BYTES
        return is_large and self.index_bytes > self.bars * _LOOSE_BYTES_A_BAR > 0


def read_months(session: Session) -> list[MonthSize]:
    """Every month's partition of `market_data`, oldest first.

    Bars are the server's own estimate, had anew where bars came since the last one.
    """
    for name in session.scalars(_OUTDATED).all():
        session.execute(sa.text(f'ANALYZE "{name}"'))
    return [MonthSize(*row) for row in session.execute(_MONTHS)]


def compact_month(database: Database, month: MonthSize) -> None:
    """Rebuild the indexes of a month beside the old ones, then swap them.

    Needs free space for the new ones. Raises WriteConflict while another session
    compacts this database.
    """
    with _alone(database) as connection:
        for name in connection.execute(_LEFT_OVER).scalars().all():
            connection.exec_driver_sql(f'DROP INDEX CONCURRENTLY "{name}"')
        connection.exec_driver_sql(f'REINDEX TABLE CONCURRENTLY "{month.name}"')


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """A connection outside transactions, without the usual limits, for one at a time.

    It is closed at the end, and the lock and the changed limits with it.
    """
    with (
        database.deadline(_SECONDS_A_MONTH),
        translated_errors(database.target),
        database.engine.connect() as plain,
    ):
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        try:
            lock = sa.text("SELECT pg_try_advisory_lock(:key)")
            if not connection.scalar(lock, {"key": _LOCK_KEY}):
                raise WriteConflict("another session is compacting this database")
            connection.exec_driver_sql("SET statement_timeout = 0")
            yield connection
        finally:
            connection.invalidate()
