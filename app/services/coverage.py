"""Accounts for every slot of every series: stored, missing for a reason, or pending."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.domain.gap import GapReason, GapStatus
from app.domain.slot_counts import count_slots
from app.domain.timeframe import Timeframe
from app.models.bars import to_microseconds
from app.models.series_coverage import (
    CursorRow,
    GapCount,
    read_cursors,
    read_gap_counts,
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Slots of one series or of many, by what became of them.

    `slots` counts the grid from the start of history to the last closed bar, or to
    where a series ended. `pending` are those from the watermark on: closed, and not
    yet asked for or answered. `revisions` counts superseded values kept.
    """

    slots: int = 0
    bars: int = 0
    pending: int = 0
    revisions: int = 0
    gaps: tuple[GapCount, ...] = ()

    @property
    def missing(self) -> int:
        """Slots in the gap ledger: open, under repair or confirmed absent."""
        return sum(gap.slots for gap in self.gaps)

    @property
    def unknown(self) -> int:
        """Missing slots of which nobody knows why."""
        return sum(g.slots for g in self.gaps if g.reason is GapReason.UNKNOWN)

    @property
    def unaccounted(self) -> int:
        """Slots that no bar, gap or pending tail covers; below 0: covered twice."""
        return self.slots - self.bars - self.missing - self.pending

    @property
    def accounted_percent(self) -> float:
        """Accounted slots of all, rounded away from 100: only exactness is 100."""
        if not self.slots:
            return 100.0 if not self.unaccounted else 0.0
        wrong = abs(self.unaccounted)
        return max(0, (self.slots - wrong) * 100_000 // self.slots) / 1_000

    @property
    def unknown_share(self) -> float:
        """Slots missing for an unknown reason, of all."""
        return self.unknown / self.slots if self.slots else 0.0

    @property
    def revision_rate(self) -> float:
        """Corrections per stored bar."""
        return self.revisions / self.bars if self.bars else 0.0

    def missing_by(self, status: GapStatus) -> int:
        """Missing slots whose repair stands at `status`."""
        return sum(gap.slots for gap in self.gaps if gap.status is status)


@dataclass(frozen=True, slots=True)
class SeriesCoverage:
    """One series and what became of its slots."""

    cursor: CursorRow
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """All series at `now`, with sums per exchange and time frame and of everything."""

    now: datetime
    series: tuple[SeriesCoverage, ...]
    totals: dict[tuple[str, Timeframe], Coverage]
    total: Coverage


def read_coverage(
    session: Session,
    now: datetime,
    exchange: str | None = None,
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
) -> CoverageReport:
    """Account for every series (of what is given) at `now`.

    Reads what the ledger keeps count of, so it takes the same time for any number of
    bars; `app.services.coverage_check` counts them.
    """
    cursors = read_cursors(session, exchange, symbol, timeframe)
    gaps = read_gap_counts(session)
    slots, pending = expected_slots(cursors, now)
    series = tuple(
        SeriesCoverage(
            cursor,
            Coverage(
                slots=int(slots[at]),
                bars=cursor.bars,
                pending=int(pending[at]),
                revisions=cursor.revisions,
                gaps=tuple(gaps.get(cursor.key, ())),
            ),
        )
        for at, cursor in enumerate(cursors)
    )
    groups: dict[tuple[str, Timeframe], list[Coverage]] = defaultdict(list)
    for one in series:
        key = (one.cursor.exchange, one.cursor.timeframe)
        groups[key].append(one.coverage)
    totals = {key: add_up(group) for key, group in groups.items()}
    return CoverageReport(now, series, totals, add_up(totals.values()))


def expected_slots(
    cursors: Sequence[CursorRow], now: datetime
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each series all its slots up to `now`, and those from the watermark on."""
    slots = np.zeros(len(cursors), np.int64)
    pending = np.zeros(len(cursors), np.int64)
    positions: dict[Timeframe, list[int]] = defaultdict(list)
    for at, cursor in enumerate(cursors):
        positions[cursor.timeframe].append(at)
    for timeframe, where in positions.items():
        mine = [cursors[at] for at in where]
        last = to_microseconds(timeframe.floor(now))
        starts = np.array([to_microseconds(c.history_from) for c in mine], np.int64)
        marks = np.array([to_microseconds(c.watermark_at) for c in mine], np.int64)
        ends = np.array(
            [
                last if c.closed_at is None else min(last, to_microseconds(c.closed_at))
                for c in mine
            ],
            np.int64,
        )
        # A watermark beyond `now` (another machine's clock) has no pending slots.
        ends = np.maximum(ends, marks)
        slots[where] = count_slots(timeframe, starts, ends)
        pending[where] = count_slots(timeframe, marks, ends)
    return slots, pending


def add_up(parts: Iterable[Coverage]) -> Coverage:
    """The sum; gaps of one status and reason become one line."""
    slots = bars = pending = revisions = 0
    gaps: dict[tuple[GapStatus, GapReason], list[int]] = defaultdict(lambda: [0, 0])
    for part in parts:
        slots += part.slots
        bars += part.bars
        pending += part.pending
        revisions += part.revisions
        for gap in part.gaps:
            count = gaps[gap.status, gap.reason]
            count[0] += gap.gaps
            count[1] += gap.slots
    lines = sorted(gaps.items(), key=lambda line: (line[0][0].value, line[0][1].value))
    return Coverage(
        slots,
        bars,
        pending,
        revisions,
        tuple(GapCount(*key, *count) for key, count in lines),
    )
