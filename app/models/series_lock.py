"""One writer at a time for each series."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.series_cursor import SeriesCursor

SeriesKey = tuple[int, Timeframe]


def lock_cursors(
    session: Session, history_from: Mapping[SeriesKey, datetime], run_id: uuid.UUID
) -> dict[SeriesKey, SeriesCursor]:
    """The cursors of these series, locked until the transaction ends.

    A series without one gets a new cursor whose history starts, and whose watermark
    stands, at `history_from[key]`; for others that value does not matter. Locks are
    taken in key order, so writers of overlapping series wait but never deadlock.
    """
    keys = list(history_from)
    if not keys:
        return {}
    missing = set(keys) - find_known(session, keys)
    create_cursors(session, {key: history_from[key] for key in missing}, run_id)
    # Inserts come before every lock and in the same order everywhere: see above.
    locked = session.scalars(
        sa.select(SeriesCursor)
        .where(_pair().in_(keys))
        .order_by(SeriesCursor.cryptocurrency_id, SeriesCursor.timeframe)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {(row.cryptocurrency_id, row.timeframe): row for row in locked}


def find_known(session: Session, keys: Collection[SeriesKey]) -> set[SeriesKey]:
    """Those of `keys` that have a cursor."""
    query = sa.select(SeriesCursor.cryptocurrency_id, SeriesCursor.timeframe)
    rows = session.execute(query.where(_pair().in_(keys)))
    return {(row[0], row[1]) for row in rows}


def create_cursors(
    session: Session, history_from: Mapping[SeriesKey, datetime], run_id: uuid.UUID
) -> None:
    """New cursors; one that somebody else makes meanwhile is left as it is."""
    if not history_from:
        return
    order = list(Timeframe)
    keys = sorted(history_from, key=lambda key: (key[0], order.index(key[1])))
    rows = [
        {
            "cryptocurrency_id": key[0],
            "timeframe": key[1],
            "history_from": history_from[key],
            "watermark_at": history_from[key],
            "run_id": run_id,
        }
        for key in keys
    ]
    session.execute(
        postgresql.insert(SeriesCursor).values(rows).on_conflict_do_nothing()
    )


def _pair() -> sa.Tuple:
    return sa.tuple_(SeriesCursor.cryptocurrency_id, SeriesCursor.timeframe)
