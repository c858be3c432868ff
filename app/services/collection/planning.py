"""Decides which pages of bars are due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.config.settings import CollectorSettings
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandleRequest
from app.models import Cryptocurrency, SeriesCursor
from app.models.series_lock import SeriesKey


@dataclass(frozen=True, slots=True)
class SeriesTask:
    """One page to fetch for one series.

    `expected_from` is the first slot not accounted for yet; the request starts a few
    bars earlier to see corrections.
    """

    cryptocurrency_id: int
    request: CandleRequest
    expected_from: datetime

    @property
    def key(self) -> SeriesKey:
        """The series: market and time frame."""
        return (self.cryptocurrency_id, self.request.timeframe)


def plan_pages(
    markets: Sequence[Cryptocurrency],
    cursors: Mapping[SeriesKey, SeriesCursor],
    settings: CollectorSettings,
    now: datetime,
) -> list[SeriesTask]:
    """One task for every series that has a closed bar not accounted for at `now`.

    Short time frames come first: open trades and the next close wait for them. A
    series that was closed expects no bar any more.
    """
    settled = now - timedelta(seconds=settings.settle_seconds)
    tasks = []
    for timeframe in sorted(settings.timeframes, key=lambda frame: frame.duration):
        last_closed = timeframe.last_closed(settled)
        for market in markets:
            cursor = cursors.get((market.id, timeframe))
            expected = (
                timeframe.shift(last_closed, 1 - settings.history_bars)
                if cursor is None
                else cursor.watermark_at
            )
            is_closed = cursor is not None and cursor.closed_at is not None
            if expected > last_closed or is_closed:
                continue
            tasks.append(_task(market, timeframe, cursor, expected, settings, now))
    return tasks


def _task(
    market: Cryptocurrency,
    timeframe: Timeframe,
    cursor: SeriesCursor | None,
    expected: datetime,
    settings: CollectorSettings,
    now: datetime,
) -> SeriesTask:
    since = expected
    if cursor is not None and cursor.first_bar_at is not None:
        since = max(
            timeframe.shift(expected, -settings.correction_bars), cursor.first_bar_at
        )
    # One more than the closed bars, since the exchange adds the unfinished one.
    wanted = timeframe.count_bars(since, now) + 1
    limit = max(1, min(settings.page_limit, wanted))
    request = CandleRequest(market.symbol, timeframe, since, limit)
    return SeriesTask(market.id, request, expected)
