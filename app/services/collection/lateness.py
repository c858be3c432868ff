"""Records why the newest slots of series are late."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.exceptions import AppError, ExchangeUnavailable
from app.domain.gap import GapReason
from app.domain.timeframe import Timeframe
from app.models import SeriesCursor
from app.models.series_lock import SeriesKey


def reason_of_failure(error: AppError) -> GapReason:
    """What a page that could not be had says about the exchange."""
    is_down = isinstance(error, ExchangeUnavailable)
    return GapReason.EXCHANGE_OUTAGE if is_down else GapReason.FETCH_FAILED


def note_failures(
    session: Session,
    failed: dict[SeriesKey, AppError],
    now: datetime,
    tail_grace_seconds: float,
) -> None:
    """Say of series whose page could not be had why they are late, once they are."""
    if not failed:
        return
    for cursor in _lock(session, failed):
        late = cursor.timeframe.floor(now - timedelta(seconds=tail_grace_seconds))
        if cursor.pending_reason is None and cursor.watermark_at < late:
            error = failed[cursor.cryptocurrency_id, cursor.timeframe]
            cursor.pending_reason = reason_of_failure(error)
            cursor.pending_since = now


def note_downtime(
    session: Session,
    cryptocurrency_ids: Collection[int],
    timeframes: Collection[Timeframe],
    now: datetime,
    tail_grace_seconds: float,
) -> int:
    """Say of the collected series that fell behind meanwhile that we were down.

    For the start of a collector, with the markets and time frames that it collects:
    nobody was to collect any other. Returns the number of series. What comes late is
    then kept as a filled gap of that reason.
    """
    query = (
        sa.select(SeriesCursor)
        .where(
            SeriesCursor.cryptocurrency_id.in_(cryptocurrency_ids),
            SeriesCursor.timeframe.in_(timeframes),
            SeriesCursor.pending_reason.is_(None),
            SeriesCursor.closed_at.is_(None),
        )
        .order_by(SeriesCursor.cryptocurrency_id, SeriesCursor.timeframe)
        .with_for_update()
    )
    behind = 0
    for cursor in session.scalars(query):
        late = cursor.timeframe.floor(now - timedelta(seconds=tail_grace_seconds))
        if cursor.watermark_at < late:
            cursor.pending_reason = GapReason.OUR_DOWNTIME
            cursor.pending_since = now
            behind += 1
    return behind


def _lock(session: Session, keys: Collection[SeriesKey]) -> list[SeriesCursor]:
    pair = sa.tuple_(SeriesCursor.cryptocurrency_id, SeriesCursor.timeframe)
    query = (
        sa.select(SeriesCursor)
        .where(pair.in_(list(keys)))
        .order_by(SeriesCursor.cryptocurrency_id, SeriesCursor.timeframe)
        .with_for_update()
    )
    return list(session.scalars(query))
