"""Storing bars in bulk: new ones through COPY, corrected ones with the old kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
import psycopg2.errors
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.exceptions import WriteConflict
from app.core.failpoints import fp
from app.domain.timeframe import Timeframe
from app.models.bar_copy import copy_bars
from app.models.bar_merge import merge_bars
from app.models.bars import BAR_DTYPE, BarsOfSeries, SeriesBars, from_microseconds
from app.models.keyed_bars import KeyedBars
from app.models.partitions import ensure_months
from app.models.series_lock import SeriesKey
from app.models.stored_bars import read_stored_bars

__all__ = ["BAR_DTYPE", "IngestResult", "SeriesBars", "SeriesCounts", "store_bars"]

Counts = defaultdict[int, list[int]]

# Stored bars between two given ones are read along up to this many slots; above,
# a second query is cheaper.
_LONGEST_HOLE_SLOTS = 2_000


@dataclass(slots=True)
class WriterMemory:
    """What a writer of bars remembers between its transactions, to save questions.

    `months` are partitions seen committed. `is_sure` says that bars ahead of a
    watermark never met a stored one; once they did it asks again each time.
    """

    months: set[datetime] = field(default_factory=set)
    is_sure: bool = True

    def doubt(self) -> None:
        """Forget everything: something was not as remembered."""
        self.months.clear()
        self.is_sure = False


class SeriesCounts(NamedTuple):
    """Bars of one series that were new, and that had another value."""

    inserted: int = 0
    revised: int = 0


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of the bars given, each slot counted once."""

    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    by_series: Mapping[SeriesKey, SeriesCounts] = field(
        default_factory=dict, compare=False
    )

    def __add__(self, other: IngestResult) -> IngestResult:
        return IngestResult(
            self.inserted + other.inserted,
            self.revised + other.revised,
            self.unchanged + other.unchanged,
            {**self.by_series, **other.by_series},
        )


def store_bars(
    session: Session,
    batches: Sequence[BarsOfSeries],
    known_at: datetime,
    new_from: Mapping[SeriesKey, int] | None = None,
    memory: WriterMemory | None = None,
) -> IngestResult:
    """Store closed bars, in any order; the last of several for one slot counts.

    A bar with another value than the stored one replaces it, and the old value moves
    to `market_data_revisions`. Bars already stored are not written, so running it
    twice changes nothing. Makes missing partitions.

    Runs in the caller's transaction, which should hold the series' cursors (see
    `lock_cursors`): then nobody else writes them, and comparing here with what was
    read is safe. Without the lock it is still correct, only slower on conflicts.

    `new_from` gives, for a series, an open time in microseconds from which on surely
    nothing is stored yet (its watermark): those bars are not looked for. With
    `memory` that is also taken at its word; raises WriteConflict, to be tried again,
    where it turns out wrong.

    Raises SQLAlchemy's IntegrityError for a value no market can have (validate
    first) and ValueError for a naive `known_at`.
    """
    if known_at.tzinfo is None:
        raise ValueError(f"known_at {known_at.isoformat()} has no time zone")
    by_timeframe: dict[Timeframe, list[BarsOfSeries]] = defaultdict(list)
    for batch in batches:
        if len(batch.bars):
            by_timeframe[batch.timeframe].append(batch)
    # Time frames in one order for every writer: no deadlocks.
    order = list(Timeframe)
    result = IngestResult()
    for timeframe in sorted(by_timeframe, key=order.index):
        bars = KeyedBars.from_series(by_timeframe[timeframe])
        result += _store(session, timeframe, bars, known_at, new_from or {}, memory)
    return result


def _store(
    session: Session,
    timeframe: Timeframe,
    bars: KeyedBars,
    known_at: datetime,
    new_from: Mapping[SeriesKey, int],
    memory: WriterMemory | None,
) -> IngestResult:
    is_ahead = _lie_ahead(timeframe, bars, new_from)
    if memory is not None and memory.is_sure and is_ahead:
        _append(session, timeframe, bars, known_at, memory)
        return _all_inserted(timeframe, bars)
    counts: Counts = defaultdict(lambda: [0, 0])
    # 1. Compare with what is stored.
    is_new, is_changed = _compare(session, timeframe, bars, new_from)
    new, changed = bars.where(is_new), bars.where(is_changed)
    # 2. New bars go straight into the table.
    if len(new):
        ensure_months(session, "market_data", new.months())
        _insert(session, timeframe, new, known_at, counts)
        fp("store.after_copy")
    # 3. Corrected ones replace the old value, which is kept.
    if len(changed):
        _merge(session, timeframe, changed, known_at, counts)
        fp("store.after_merge")
    return _result(timeframe, bars, counts)


def _result(timeframe: Timeframe, bars: KeyedBars, counts: Counts) -> IngestResult:
    inserted = sum(count[0] for count in counts.values())
    revised = sum(count[1] for count in counts.values())
    by_series = {(key, timeframe): SeriesCounts(*n) for key, n in counts.items()}
    return IngestResult(inserted, revised, len(bars) - inserted - revised, by_series)


def _all_inserted(timeframe: Timeframe, bars: KeyedBars) -> IngestResult:
    starts = np.flatnonzero(np.diff(bars.ids, prepend=-1))
    sizes = np.diff(starts, append=len(bars)).tolist()
    by_series = {
        (key, timeframe): SeriesCounts(size)
        for key, size in zip(bars.ids[starts].tolist(), sizes, strict=True)
    }
    return IngestResult(inserted=len(bars), by_series=by_series)


def _append(
    session: Session,
    timeframe: Timeframe,
    bars: KeyedBars,
    known_at: datetime,
    memory: WriterMemory,
) -> None:
    """Copy bars that surely are not stored, without a savepoint to fall back to."""
    months = set(bars.months()) - memory.months
    if months and not ensure_months(session, "market_data", months):
        # Those made just now might be rolled back.
        memory.months |= months
    try:
        copy_bars(session, timeframe, bars, known_at)
    except psycopg2.errors.UniqueViolation as error:
        memory.doubt()
        raise WriteConflict(
            f"a {timeframe} bar ahead of its series' watermark is stored already"
        ) from error
    except psycopg2.errors.CheckViolation as error:
        if error.diag.constraint_name:
            raise IntegrityError("COPY market_data", None, error) from error
        memory.doubt()
        raise WriteConflict("a partition of market_data is gone") from error
    except psycopg2.IntegrityError as error:
        raise IntegrityError("COPY market_data", None, error) from error
    fp("store.after_copy")


def _insert(
    session: Session,
    timeframe: Timeframe,
    bars: KeyedBars,
    known_at: datetime,
    counts: Counts,
) -> None:
    # The savepoint is the connection's: rolling it back must not expire the cursors
    # the caller holds in its session.
    savepoint = session.connection().begin_nested()
    try:
        copy_bars(session, timeframe, bars, known_at)
    except psycopg2.errors.UniqueViolation:
        # Somebody wrote a slot without holding the cursor, after we looked.
        savepoint.rollback()
        _merge(session, timeframe, bars, known_at, counts)
        return
    except psycopg2.IntegrityError as error:
        # COPY runs below SQLAlchemy; callers should not need to know.
        raise IntegrityError("COPY market_data", None, error) from error
    savepoint.commit()
    for key, at in bars.series():
        counts[key][0] += at.stop - at.start


def _merge(
    session: Session,
    timeframe: Timeframe,
    bars: KeyedBars,
    known_at: datetime,
    counts: Counts,
) -> None:
    for key, at in bars.series():
        merged = merge_bars(session, timeframe, bars.part(at.start, at.stop), known_at)
        counts[key][0] += merged.inserted
        counts[key][1] += merged.revised


def _compare(
    session: Session,
    timeframe: Timeframe,
    bars: KeyedBars,
    new_from: Mapping[SeriesKey, int],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """For each bar whether it is not stored, and whether with another value."""
    is_new = np.ones(len(bars), dtype=bool)
    is_changed = np.zeros(len(bars), dtype=bool)
    given = {}
    for key, at in bars.series():
        bound = new_from.get((key, timeframe))
        if bound is not None and bars.opens[at.stop - 1] >= bound:
            # Bars of a series ascend: only those before the bound may be stored.
            stop = at.start + int(np.searchsorted(bars.opens[at], bound))
            at = slice(at.start, stop)
        if at.stop > at.start:
            given[key] = at
    for (first, last), ids in _ranges(timeframe, bars, given).items():
        stored = read_stored_bars(
            session, ids, timeframe, from_microseconds(first), from_microseconds(last)
        )
        for key, at in stored.series():
            mine, theirs = given[key], stored.opens[at]
            position = np.searchsorted(theirs, bars.opens[mine])
            position[position == len(theirs)] = 0
            found = theirs[position] == bars.opens[mine]
            # An exact comparison: NaN differs from all, and its CHECK refuses it.
            old, new = stored.values[:, at][:, position], bars.values[:, mine]
            differs = (old != new).any(axis=0)
            is_new[mine] &= ~found
            is_changed[mine] |= found & differs
    return is_new, is_changed


def _lie_ahead(
    timeframe: Timeframe, bars: KeyedBars, new_from: Mapping[SeriesKey, int]
) -> bool:
    """Whether every bar opens where surely none is stored, as after each close."""
    starts = np.flatnonzero(np.diff(bars.ids, prepend=-1))
    bounds = [new_from.get((key, timeframe)) for key in bars.ids[starts].tolist()]
    known = [bound for bound in bounds if bound is not None]
    return len(known) == len(bounds) and bool((bars.opens[starts] >= known).all())


def _ranges(
    timeframe: Timeframe, bars: KeyedBars, series: dict[int, slice]
) -> dict[tuple[int, int], list[int]]:
    """Market keys by the open times, first and last, between which to look.

    Series that cover the same time, as after each bar close, share one query.
    """
    longest = timeframe.duration.total_seconds() * 1e6 * _LONGEST_HOLE_SLOTS
    ranges: dict[tuple[int, int], list[int]] = defaultdict(list)
    for key, at in series.items():
        opens = bars.opens[at]
        for run in np.split(opens, np.flatnonzero(np.diff(opens) > longest) + 1):
            ranges[int(run[0]), int(run[-1])].append(key)
    return ranges
