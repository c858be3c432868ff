"""Which stretches of which series there are to check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models import Cryptocurrency, SeriesCursor
from app.services.cross_checks.aggregates import check_against_lower, find_lower
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.implausible import check_plausibility

# Bars read at once, of the smallest time frame involved: some 10 MB.
_BARS_PER_WINDOW = 200_000


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """A series with the stretch [start, end) that is accounted for.

    `lower` is the time frame its bars are compared with, None if there is none.
    """

    cryptocurrency_id: int
    exchange: str
    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    lower: Timeframe | None


def list_series(
    session: Session,
    exchange: str | None = None,
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
    since: datetime | None = None,
) -> list[StoredSeries]:
    """The stored series that match, by symbol and length of bar."""
    query = (
        sa.select(
            Cryptocurrency.id,
            Cryptocurrency.exchange,
            Cryptocurrency.symbol,
            SeriesCursor.timeframe,
            SeriesCursor.first_bar_at,
            SeriesCursor.watermark_at,
        )
        .join(Cryptocurrency, Cryptocurrency.id == SeriesCursor.cryptocurrency_id)
        .where(SeriesCursor.first_bar_at.is_not(None))
    )
    if exchange is not None:
        query = query.where(Cryptocurrency.exchange == exchange)
    if symbol is not None:
        query = query.where(Cryptocurrency.symbol == symbol)
    rows = session.execute(query).all()
    collected: dict[int, set[Timeframe]] = {}
    for row in rows:
        collected.setdefault(row.id, set()).add(row.timeframe)
    found = []
    for row in rows:
        start = row.first_bar_at if since is None else max(since, row.first_bar_at)
        if (
            timeframe is None or row.timeframe is timeframe
        ) and start < row.watermark_at:
            found.append(
                StoredSeries(
                    row.id,
                    row.exchange,
                    row.symbol,
                    row.timeframe,
                    row.timeframe.floor(start),
                    row.watermark_at,
                    find_lower(row.timeframe, collected[row.id]),
                )
            )
    order = list(Timeframe)
    found.sort(key=lambda one: (one.exchange, one.symbol, order.index(one.timeframe)))
    return found


def windows_of(series: StoredSeries) -> Iterator[tuple[datetime, datetime]]:
    """Consecutive stretches of `series`, each small enough to be read at once."""
    ratio = 1
    if series.lower is not None:
        ratio = max(1, series.timeframe.duration // series.lower.duration)
    bars = max(1, _BARS_PER_WINDOW // ratio)
    start = series.start
    while start < series.end:
        stop = min(series.timeframe.shift(start, bars), series.end)
        yield start, stop
        start = stop


def check_window(
    session: Session,
    series: Sequence[StoredSeries],
    start: datetime,
    end: datetime,
    now: datetime,
    run_id: UUID,
) -> CheckCounts:
    """All checks of [start, end) on series of one time frame with one lower one."""
    ids = [one.cryptocurrency_id for one in series]
    timeframe, lower = series[0].timeframe, series[0].lower
    counts = check_plausibility(session, ids, timeframe, start, end, now, run_id)
    if lower is not None:
        counts.add(
            check_against_lower(session, ids, lower, timeframe, start, end, now, run_id)
        )
    return counts
