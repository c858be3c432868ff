"""Decides which stored bars are due to be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from app.config.settings import CollectorSettings
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandleRequest
from app.models import Cryptocurrency, SeriesCursor
from app.models.series_lock import SeriesKey
from app.services.collection.planning import SeriesTask

# A quarter of the delay is waited for more bars to share a page with the first due.
_BATCHED_SHARE = 4


def plan_rechecks(
    markets: Sequence[Cryptocurrency],
    cursors: Mapping[SeriesKey, SeriesCursor],
    settings: CollectorSettings,
    now: datetime,
) -> list[SeriesTask]:
    """Pages of stored bars whose next look is due, the longest overdue first.

    Each bar is read again once so long after its close as each configured delay says.
    Bars of one series share a page: the oldest may wait a quarter of the delay longer
    for others. At most `rechecks_per_pass` pages.
    """
    due: list[tuple[timedelta, int, SeriesTask]] = []
    by_id = {market.id: market for market in markets}
    for key, cursor in cursors.items():
        market, timeframe = by_id.get(key[0]), key[1]
        if market is None or timeframe not in settings.timeframes:
            continue
        for delay in settings.recheck_delays_seconds:
            if _is_implied(timeframe, delay, settings):
                continue
            task_due = _due(market, timeframe, cursor, delay, settings, now)
            if task_due is not None:
                due.append((task_due[0], len(due), task_due[1]))
    due.sort(key=lambda item: (-item[0], item[1]))
    chosen: dict[tuple[SeriesKey, datetime], SeriesTask] = {}
    for _, _, task in due:
        chosen.setdefault((task.key, task.request.since), task)
    return list(chosen.values())[: settings.rechecks_per_pass]


def _is_implied(
    timeframe: Timeframe, delay_seconds: int, settings: CollectorSettings
) -> bool:
    """Whether each request for the next bar reads bars of that age along anyway."""
    length = timeframe.duration.total_seconds()
    return length <= delay_seconds <= settings.correction_bars * length


def _due(
    market: Cryptocurrency,
    timeframe: Timeframe,
    cursor: SeriesCursor,
    delay_seconds: int,
    settings: CollectorSettings,
    now: datetime,
) -> tuple[timedelta, SeriesTask] | None:
    """How long the page is overdue, and the page; None while it is not due."""
    if cursor.first_bar_at is None:
        return None
    given = cursor.rechecked_until.get(str(delay_seconds))
    start = cursor.history_from if given is None else datetime.fromisoformat(given)
    delay = timedelta(seconds=delay_seconds)
    # Bars before this one closed at least the delay ago, and are stored.
    stop = min(timeframe.floor(now - delay), cursor.watermark_at)
    patience = delay / _BATCHED_SHARE
    overdue = now - delay - patience - timeframe.close_of(start)
    slots = timeframe.count_bars(start, stop)
    if slots < 1 or (overdue < timedelta(0) and slots < settings.page_limit - 2):
        return None
    limit = max(1, min(settings.page_limit, slots + 1))
    request = CandleRequest(market.symbol, timeframe, start, limit)
    return overdue, SeriesTask(market.id, request, start)
