"""Counts bars and gaps slot by slot, and finds where the ledger is wrong about them.

Everything is compared in SQL, on all rows: minutes for a hundred million bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.series_lock import SeriesKey


@dataclass(frozen=True, slots=True)
class CountedBars:
    """Bars of one series: all, those outside its history, and those off the grid."""

    bars: int
    outside: int
    off_grid: int


@dataclass(frozen=True, slots=True)
class WrongSlots:
    """Slots of one series about which the ledger is wrong, in [starts_at, ends_at)."""

    key: SeriesKey
    slots: int
    starts_at: datetime
    ends_at: datetime


# Weeks open on Mondays: 1970-01-05 was one. Months are compared by the calendar.
_IS_ON_GRID = """
CASE WHEN bar.timeframe = '1M'
     THEN date_trunc('month', bar.timestamp, 'UTC') = bar.timestamp
     ELSE date_bin(bar.timeframe::text::interval, bar.timestamp,
                   timestamptz '1970-01-05 00:00+00') = bar.timestamp
END
"""
_STEP = """
CASE WHEN {0}.timeframe = '1M' THEN interval '1 month'
     ELSE {0}.timeframe::text::interval END
"""
_BARS = sa.text(f"""
SELECT bar.cryptocurrency_id, bar.timeframe, count(*),
       count(*) FILTER (WHERE cursor.history_from IS NULL
                           OR bar.timestamp < cursor.history_from
                           OR bar.timestamp >= cursor.watermark_at),
       count(*) FILTER (WHERE NOT {_IS_ON_GRID})
FROM market_data AS bar
LEFT JOIN series_cursors AS cursor USING (cryptocurrency_id, timeframe)
GROUP BY bar.cryptocurrency_id, bar.timeframe
""")
_REVISIONS = sa.text("""
SELECT cryptocurrency_id, timeframe, count(*)
FROM market_data_revisions GROUP BY cryptocurrency_id, timeframe
""")
# Bars that are stored and yet in a gap.
_STORED_IN_GAPS = sa.text(f"""
SELECT gap.cryptocurrency_id, gap.timeframe, count(*),
       min(bar.timestamp), max(bar.timestamp) + min({_STEP.format("bar")})
FROM market_data_gaps AS gap
JOIN market_data AS bar
  ON bar.cryptocurrency_id = gap.cryptocurrency_id AND bar.timeframe = gap.timeframe
 AND bar.timestamp >= gap.starts_at AND bar.timestamp < gap.ends_at
WHERE gap.status <> 'filled'
GROUP BY gap.cryptocurrency_id, gap.timeframe
ORDER BY gap.cryptocurrency_id, gap.timeframe
""")
_MISSING_GAPS = f"""
SELECT gap.cryptocurrency_id, gap.timeframe, gap.starts_at, gap.ends_at, gap.slots,
       {_STEP.format("gap")} AS step
FROM market_data_gaps AS gap WHERE gap.status <> 'filled'
"""
# Slots that two gaps claim.
_GAPS_TWICE = sa.text(f"""
SELECT gap.cryptocurrency_id, gap.timeframe, count(*), min(slot), max(slot + step)
FROM ({_MISSING_GAPS}) AS gap,
     generate_series(gap.starts_at, gap.ends_at - interval '1 microsecond', step, 'UTC')
     AS slot
WHERE EXISTS (
    SELECT 1 FROM market_data_gaps AS other
    WHERE other.status <> 'filled' AND other.starts_at < gap.starts_at
      AND other.cryptocurrency_id = gap.cryptocurrency_id
      AND other.timeframe = gap.timeframe AND other.ends_at > slot
)
GROUP BY gap.cryptocurrency_id, gap.timeframe
ORDER BY gap.cryptocurrency_id, gap.timeframe
""")
# Gaps that say another number of slots than they have.
_GAPS_MISCOUNTED = sa.text(f"""
SELECT gap.cryptocurrency_id, gap.timeframe, sum(abs(counted - gap.slots)),
       min(gap.starts_at), max(gap.ends_at)
FROM ({_MISSING_GAPS}) AS gap,
     LATERAL (
         SELECT count(*) AS counted
         FROM generate_series(gap.starts_at, gap.ends_at - interval '1 microsecond',
                              step, 'UTC')
     ) AS grid
WHERE counted <> gap.slots
GROUP BY gap.cryptocurrency_id, gap.timeframe
ORDER BY gap.cryptocurrency_id, gap.timeframe
""")
# Gaps that reach beyond the slots their series accounts for.
_GAPS_OUTSIDE = sa.text("""
SELECT gap.cryptocurrency_id, gap.timeframe, sum(gap.slots)::bigint,
       min(gap.starts_at), max(gap.ends_at)
FROM market_data_gaps AS gap
LEFT JOIN series_cursors AS cursor USING (cryptocurrency_id, timeframe)
WHERE gap.status <> 'filled'
  AND (cursor.history_from IS NULL OR gap.starts_at < cursor.history_from
       OR gap.ends_at > cursor.watermark_at)
GROUP BY gap.cryptocurrency_id, gap.timeframe
ORDER BY gap.cryptocurrency_id, gap.timeframe
""")
# Slots of one series that neither a bar nor a gap covers.
_UNCOVERED = sa.text(f"""
SELECT cursor.cryptocurrency_id, cursor.timeframe, count(*), min(slot), max(slot + step)
FROM (SELECT *, {_STEP.format("series_cursors")} AS step FROM series_cursors) AS cursor,
     generate_series(cursor.history_from,
                     cursor.watermark_at - interval '1 microsecond', step, 'UTC')
     AS slot
WHERE cursor.cryptocurrency_id = :id AND cursor.timeframe = :timeframe
  AND NOT EXISTS (
      SELECT 1 FROM market_data AS bar
      WHERE bar.cryptocurrency_id = cursor.cryptocurrency_id
        AND bar.timeframe = cursor.timeframe AND bar.timestamp = slot)
  AND NOT EXISTS (
      SELECT 1 FROM market_data_gaps AS gap
      WHERE gap.cryptocurrency_id = cursor.cryptocurrency_id
        AND gap.timeframe = cursor.timeframe AND gap.status <> 'filled'
        AND gap.starts_at <= slot AND gap.ends_at > slot)
GROUP BY cursor.cryptocurrency_id, cursor.timeframe
""")


def count_bars(session: Session) -> dict[SeriesKey, CountedBars]:
    """Really count the bars of every series that has some."""
    return {
        (row[0], Timeframe(row[1])): CountedBars(*row[2:])
        for row in session.execute(_BARS)
    }


def count_revisions(session: Session) -> dict[SeriesKey, int]:
    """Really count the superseded values of every series that has some."""
    rows = session.execute(_REVISIONS)
    return {(key, Timeframe(frame)): count for key, frame, count in rows}


def find_stored_in_gaps(session: Session) -> Iterator[WrongSlots]:
    """Slots that are stored and that the ledger calls missing."""
    return _find(session, _STORED_IN_GAPS)


def find_gaps_twice(session: Session) -> Iterator[WrongSlots]:
    """Slots that two gaps claim."""
    return _find(session, _GAPS_TWICE)


def find_miscounted_gaps(session: Session) -> Iterator[WrongSlots]:
    """Gaps whose number of slots is not that of their interval."""
    return _find(session, _GAPS_MISCOUNTED)


def find_gaps_outside(session: Session) -> Iterator[WrongSlots]:
    """Gaps before the history or beyond the watermark of their series."""
    return _find(session, _GAPS_OUTSIDE)


def find_uncovered(session: Session, key: SeriesKey) -> Iterator[WrongSlots]:
    """Slots of one series that neither a bar nor a gap covers."""
    return _find(session, _UNCOVERED, id=key[0], timeframe=key[1].value)


def _find(
    session: Session, query: sa.TextClause, **given: object
) -> Iterator[WrongSlots]:
    for key, frame, slots, starts_at, ends_at in session.execute(query, given):
        yield WrongSlots((key, Timeframe(frame)), int(slots), starts_at, ends_at)
