"""Counts what the ledger claims, and says where claim and table disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.coverage_audit import (
    CountedBars,
    WrongSlots,
    count_bars,
    count_revisions,
    find_gaps_outside,
    find_gaps_twice,
    find_miscounted_gaps,
    find_stored_in_gaps,
    find_uncovered,
)
from app.models.series_coverage import CursorRow, read_cursors, read_gap_counts
from app.models.series_lock import SeriesKey


class Disagreement(str, Enum):
    """Ways in which the ledger can be wrong about the table."""

    BAR_COUNT = "bar_count"
    REVISION_COUNT = "revision_count"
    OUTSIDE_HISTORY = "outside_history"
    OFF_GRID = "off_grid"
    STORED_AND_MISSING = "stored_and_missing"
    MISSING_TWICE = "missing_twice"
    GAP_MISCOUNTED = "gap_miscounted"
    GAP_OUTSIDE_HISTORY = "gap_outside_history"
    UNCOVERED = "uncovered"
    WITHOUT_CURSOR = "without_cursor"


_BY_GAPS: dict[Disagreement, Callable[[Session], Iterator[WrongSlots]]] = {
    Disagreement.STORED_AND_MISSING: find_stored_in_gaps,
    Disagreement.MISSING_TWICE: find_gaps_twice,
    Disagreement.GAP_MISCOUNTED: find_miscounted_gaps,
    Disagreement.GAP_OUTSIDE_HISTORY: find_gaps_outside,
}
_NO_BARS = CountedBars(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One disagreement about one series: how many slots, and where if known."""

    exchange: str
    symbol: str
    timeframe: Timeframe
    kind: Disagreement
    slots: int
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def verify_coverage(session: Session) -> list[Fault]:
    """Every disagreement of ledger and table; empty where the ledger is right.

    Reads every bar. To be right while bars arrive it needs one snapshot: use a
    transaction with isolation level REPEATABLE READ.
    """
    cursors = {cursor.key: cursor for cursor in read_cursors(session)}
    counted, kept = count_bars(session), count_revisions(session)
    faults: list[Fault] = []
    # 1. Series by series: the counts of its cursor, and its bars' places.
    for cursor in cursors.values():
        bars = counted.get(cursor.key, _NO_BARS)
        wrong = {
            Disagreement.BAR_COUNT: bars.bars - cursor.bars,
            Disagreement.REVISION_COUNT: kept.get(cursor.key, 0) - cursor.revisions,
            Disagreement.OUTSIDE_HISTORY: bars.outside,
            Disagreement.OFF_GRID: bars.off_grid,
        }
        faults += [_fault(cursor, kind, abs(n)) for kind, n in wrong.items() if n]
    faults += _without_cursor(counted, cursors)
    # 2. Gaps against bars, other gaps, their own count and their series' history.
    for kind, find in _BY_GAPS.items():
        faults += _place(cursors, kind, find(session))
    # 3. Slots that nothing covers. Where nothing was found so far and bars and gaps add
    # up to the grid there are none: bars and gaps are then apart and on the grid.
    gaps = read_gap_counts(session)
    faulty = {(fault.exchange, fault.symbol, fault.timeframe) for fault in faults}
    for cursor in cursors.values():
        stored = counted.get(cursor.key, _NO_BARS).bars
        covered = stored + sum(gap.slots for gap in gaps.get(cursor.key, ()))
        grid = cursor.timeframe.count_bars(cursor.history_from, cursor.watermark_at)
        name = (cursor.exchange, cursor.symbol, cursor.timeframe)
        if covered != grid or name in faulty:
            found = find_uncovered(session, cursor.key)
            faults += _place(cursors, Disagreement.UNCOVERED, found)
    return faults


def _without_cursor(
    counted: dict[SeriesKey, CountedBars], cursors: dict[SeriesKey, CursorRow]
) -> list[Fault]:
    return [
        Fault("?", f"market {key[0]}", key[1], Disagreement.WITHOUT_CURSOR, bars.bars)
        for key, bars in counted.items()
        if key not in cursors
    ]


def _place(
    cursors: dict[SeriesKey, CursorRow], kind: Disagreement, found: Iterable[WrongSlots]
) -> Iterator[Fault]:
    for wrong in found:
        cursor = cursors.get(wrong.key)
        yield Fault(
            cursor.exchange if cursor else "?",
            cursor.symbol if cursor else f"market {wrong.key[0]}",
            wrong.key[1],
            kind,
            wrong.slots,
            wrong.starts_at,
            wrong.ends_at,
        )


def _fault(cursor: CursorRow, kind: Disagreement, slots: int) -> Fault:
    return Fault(cursor.exchange, cursor.symbol, cursor.timeframe, kind, slots)
