"""Checks what came in since the last look; for a process with time to spare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.series import StoredSeries, check_window, list_series

# Fewer new bars than this span holds are left for a later look.
_SHORTEST_SPAN = timedelta(minutes=5)
# What is older when a process starts was checked by the one before, or is for
# `crypto-bot check`.
_FIRST_LOOK_BARS = 300
_SERIES_PER_BATCH = 100


@dataclass(frozen=True, slots=True)
class DueCheck:
    """Series of one time frame that have the same stretch [start, end) to check."""

    series: tuple[StoredSeries, ...]
    start: datetime
    end: datetime


class IncrementalChecks:
    """Plausibility and aggregates of new bars of one exchange.

    How far it got is kept in memory only: findings are kept once, so looking at a
    stretch again after a restart costs time and changes nothing.
    """

    def __init__(self, exchange: str, run_id: UUID) -> None:
        self._exchange = exchange
        self._run_id = run_id
        self._checked_until: dict[tuple[int, Timeframe], datetime] = {}

    def due(self, session: Session) -> list[DueCheck]:
        """What there is to check, short time frames first."""
        every = list_series(session, self._exchange)
        ends = {(one.cryptocurrency_id, one.timeframe): one.end for one in every}
        batches: dict[
            tuple[Timeframe, Timeframe | None, datetime, datetime], list[StoredSeries]
        ] = defaultdict(list)
        for one in every:
            stretch = self._stretch(one, ends)
            if stretch is not None:
                batches[one.timeframe, one.lower, *stretch].append(one)
        order = list(Timeframe)
        keys = sorted(batches, key=lambda key: (order.index(key[0]), key[2], key[3]))
        return [
            DueCheck(tuple(part), key[2], key[3])
            for key in keys
            for part in _parts(batches[key])
        ]

    def run(self, session: Session, due: DueCheck, now: datetime) -> CheckCounts:
        """Check and record in the caller's transaction; then call `done`."""
        return check_window(session, due.series, due.start, due.end, now, self._run_id)

    def done(self, due: DueCheck) -> None:
        """The transaction of `run` was committed: go on from there next time."""
        for one in due.series:
            self._checked_until[one.cryptocurrency_id, one.timeframe] = due.end

    def _stretch(
        self, one: StoredSeries, ends: dict[tuple[int, Timeframe], datetime]
    ) -> tuple[datetime, datetime] | None:
        frame, end = one.timeframe, one.end
        if one.lower is not None:
            # The smaller bars must be there first.
            end = min(end, frame.floor(ends[one.cryptocurrency_id, one.lower]))
        done = self._checked_until.get((one.cryptocurrency_id, frame))
        if done is None:
            start = max(one.start, frame.shift(frame.floor(end), -_FIRST_LOOK_BARS))
        else:
            # The last bar again: it has a successor now.
            start = max(one.start, frame.shift(done, -1))
            if end - done < max(frame.duration, _SHORTEST_SPAN):
                return None
        return (start, end) if start < end else None


def _parts(series: Sequence[StoredSeries]) -> list[Sequence[StoredSeries]]:
    return [
        series[first : first + _SERIES_PER_BATCH]
        for first in range(0, len(series), _SERIES_PER_BATCH)
    ]
