"""Decides which recorded gaps are due to be asked about again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.domain.gap import GapStatus
from app.exchange.replies import CandleRequest
from app.models import Cryptocurrency, MarketDataGap, SeriesCursor
from app.models.series_lock import SeriesKey
from app.services.collection.gaps import CONFIRMATION_SPACING
from app.services.collection.planning import SeriesTask

_REPAIRS_PER_PASS = 32
_FIRST_PAUSE = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(hours=6)


def plan_repairs(
    session: Session, exchange: str, page_limit: int, now: datetime
) -> list[SeriesTask]:
    """Pages for gaps whose next attempt is due; marks them as under repair.

    The wait between attempts doubles, from five minutes to six hours; an answer that
    may be the next to confirm an absence is fetched as soon as it counts.
    """
    due = MarketDataGap.get_due(
        session,
        exchange,
        now,
        first_pause=_FIRST_PAUSE,
        longest_pause=_LONGEST_PAUSE,
        spacing=CONFIRMATION_SPACING,
        limit=_REPAIRS_PER_PASS,
    )
    ids = {gap.cryptocurrency_id for gap in due}
    markets = Cryptocurrency.get_by_ids(session, ids)
    cursors = SeriesCursor.get_for_markets(session, ids)
    tasks = []
    for gap in due:
        gap.attempts += 1
        gap.last_attempt_at = now
        gap.status = GapStatus.REPAIRING
        cursor = cursors.get((gap.cryptocurrency_id, gap.timeframe))
        symbol = markets[gap.cryptocurrency_id].symbol
        tasks.append(_task(gap, cursor, symbol, page_limit))
    return tasks


def release_repairs(session: Session, keys: set[SeriesKey]) -> None:
    """Say that gaps of these series wait again; their page could not be had."""
    ids = {key[0] for key in keys}
    for gap in MarketDataGap.get_repairing(session, ids):
        if (gap.cryptocurrency_id, gap.timeframe) in keys:
            gap.status = GapStatus.OPEN


def _task(
    gap: MarketDataGap, cursor: SeriesCursor | None, symbol: str, page_limit: int
) -> SeriesTask:
    timeframe = gap.timeframe
    start, extra = gap.starts_at, 2
    first = cursor.first_bar_at if cursor is not None else None
    if first is not None and first < start:
        # The bar before the gap shows that the reply begins where it was asked to.
        start, extra = timeframe.shift(start, -1), 3
    limit = min(page_limit, gap.slots + extra)
    request = CandleRequest(symbol, timeframe, start, limit)
    return SeriesTask(gap.cryptocurrency_id, request, gap.starts_at)
