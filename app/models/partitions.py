"""Monthly partitions of the time series tables, made ahead of need or on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe

PARTITIONED_TABLES = ("market_data", "market_snapshots")

_LOCK_TIMEOUT = "5s"

_EXISTING = sa.text(
    "SELECT child.relname FROM pg_inherits"
    " JOIN pg_class child ON child.oid = inhrelid"
    " WHERE inhparent = CAST(:table AS regclass) AND child.relname = ANY (:names)"
)


def partition_name(table: str, month: datetime) -> str:
    """Name of the partition of `table` that holds `month`."""
    return f"{table}_{month:%Y_%m}"


def ensure_partitions(
    session: Session, table: str, start: datetime, end: datetime
) -> list[str]:
    """Make the partitions for every month that [start, end] touches.

    Answers, costs and raises as `ensure_months`.
    """
    if end < start:
        raise ValueError(f"end {end.isoformat()} is before start {start.isoformat()}")
    return ensure_months(session, table, _months(start, end))


def ensure_months(
    session: Session, table: str, moments: Iterable[datetime]
) -> list[str]:
    """Make the partitions for the months these moments lie in.

    Answers the names of those made now; where all exist it costs one catalogue
    query. Nothing is remembered between calls: a partition made in a transaction
    that rolls back, or dropped for retention, would be remembered wrongly. Safe to
    call from several sessions at once; raises (SQLSTATE 55P03) if a lock is not had
    in 5 seconds, so that waiting for it never blocks the readers queueing behind.
    """
    if table not in PARTITIONED_TABLES:
        raise ValueError(f"table must be one of {PARTITIONED_TABLES}, got {table!r}")
    months = {
        partition_name(table, month): month
        for month in sorted({Timeframe.MN1.floor(moment) for moment in moments})
    }
    if not _missing(session, table, list(months)):
        return []
    before = session.scalar(sa.text("SELECT current_setting('lock_timeout')"))
    _set_lock_timeout(session, _LOCK_TIMEOUT)
    # One maker at a time; who waited looks again, since the other may have made them.
    session.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtext(:key))"),
        {"key": f"partitions of {table}"},
    )
    missing = _missing(session, table, list(months))
    for name in missing:
        _create(session, table, name, months[name])
    _set_lock_timeout(session, str(before))
    return missing


def _create(session: Session, table: str, name: str, month: datetime) -> None:
    # CREATE TABLE ... PARTITION OF would lock the parent against readers and
    # writers until commit; attaching a finished table only keeps out other DDL.
    until = Timeframe.MN1.next_open(month)
    session.execute(sa.text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"))
    if table == "market_data":
        # Keys ascend within each series, so no page needs room for one in between.
        session.execute(sa.text(f"ALTER INDEX {name}_pkey SET (fillfactor = 100)"))
    session.execute(
        sa.text(
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES"
            f" FROM ('{month.isoformat()}') TO ('{until.isoformat()}')"
        )
    )


def _missing(session: Session, table: str, names: list[str]) -> list[str]:
    existing = set(session.scalars(_EXISTING, {"table": table, "names": names}))
    return [name for name in names if name not in existing]


def _set_lock_timeout(session: Session, value: str) -> None:
    session.execute(
        sa.text("SELECT set_config('lock_timeout', :value, true)"), {"value": value}
    )


def _months(start: datetime, end: datetime) -> Iterator[datetime]:
    month = Timeframe.MN1.floor(start)
    while month <= end.astimezone(timezone.utc):
        yield month
        month = Timeframe.MN1.next_open(month)
