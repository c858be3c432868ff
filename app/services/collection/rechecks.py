"""Decides which stored bars are due to be read again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from app.config.settings import CollectorSettings
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandleRequest
from app.models import Cryptocurrency, SeriesCursor
from app.models.series_lock import SeriesKey
from app.services.collection.planning import SeriesTask

# A quarter of the delay is waited for more bars to share a page with the first due.
_BATCHED_SHARE = 4
_FIRST_PAUSE = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(hours=1)

# A series, the delay in seconds, and where its page begins.
_Look = tuple[SeriesKey, int, datetime]


class RecheckTries:
    """When a page that was read again, and is due still, may be asked for once more.

    That its answer was empty, or that there was none, must not take the place of pages
    that can be had. Kept in memory: the next process just asks once more.
    """

    def __init__(self) -> None:
        self._tries: dict[_Look, tuple[int, datetime]] = {}

    def is_waiting(self, look: _Look, now: datetime) -> bool:
        """Whether the last try is too recent."""
        tries, last = self._tries.get(look, (0, now))
        pause = _FIRST_PAUSE * 2 ** min(max(0, tries - 1), 10)
        return tries > 0 and now - last < min(pause, _LONGEST_PAUSE)

    def note(self, looks: Collection[_Look], now: datetime) -> None:
        """These pages are asked for now."""
        for look in looks:
            tries, _ = self._tries.get(look, (0, now))
            self._tries[look] = (tries + 1, now)

    def forget_others(self, looks: Collection[_Look]) -> None:
        """Only these are due still."""
        kept = set(looks)
        self._tries = {look: it for look, it in self._tries.items() if look in kept}


def plan_rechecks(
    markets: Sequence[Cryptocurrency],
    cursors: Mapping[SeriesKey, SeriesCursor],
    settings: CollectorSettings,
    now: datetime,
    tries: RecheckTries,
) -> list[SeriesTask]:
    """Pages of stored bars whose next look is due, the longest overdue first.

    Each bar is read again once so long after its close as each configured delay says.
    Bars of one series share a page: the oldest may wait a quarter of the delay longer
    for others. At most `rechecks_per_pass` pages, those noted in `tries`; one tried in
    vain waits longer each time.
    """
    due: list[tuple[timedelta, _Look, SeriesTask]] = []
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
                overdue, task = task_due
                due.append((overdue, (key, delay, task.request.since), task))
    tries.forget_others([look for _, look, _ in due])
    due = [item for item in due if not tries.is_waiting(item[1], now)]
    due.sort(key=lambda item: -item[0])
    chosen: dict[tuple[SeriesKey, datetime], SeriesTask] = {}
    for _, _, task in due:
        page = (task.key, task.request.since)
        if page in chosen or len(chosen) < settings.rechecks_per_pass:
            chosen.setdefault(page, task)
    tries.note([look for _, look, _ in due if (look[0], look[2]) in chosen], now)
    return list(chosen.values())


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
