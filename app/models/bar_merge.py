"""Merges bars that may be stored already, keeping the values they replace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.bars import VALUES, from_microseconds
from app.models.keyed_bars import KeyedBars

_ROWS_PER_STATEMENT = 5_000

_GIVEN = """
unnest(
    CAST(:ids AS integer[]), CAST(:opens AS timestamptz[]),
    CAST(:open AS float8[]), CAST(:high AS float8[]), CAST(:low AS float8[]),
    CAST(:close AS float8[]), CAST(:volume AS float8[])
) AS given (id, at, open, high, low, close, volume)
"""
# The bounds let the planner leave out partitions and walk the primary key.
_SAME_SLOT = """
    stored.cryptocurrency_id = given.id AND stored.timestamp = given.at
    AND stored.timeframe = CAST(:timeframe AS timeframe)
    AND stored.cryptocurrency_id BETWEEN :first_id AND :last_id
    AND stored.timestamp BETWEEN :first_at AND :last_at
"""
_DIFFERS = """
    (stored.open, stored.high, stored.low, stored.close, stored.volume)
    IS DISTINCT FROM (given.open, given.high, given.low, given.close, given.volume)
"""
# Never at or before the value it replaces, so that no interval is empty even when
# two corrections arrive at one instant or the clock steps back.
_KNOWN_FROM_NOW_ON = """
    GREATEST(CAST(:known_at AS timestamptz), stored.known_at + interval '1 microsecond')
"""

_INSERT = sa.text(f"""
INSERT INTO market_data
    (cryptocurrency_id, timeframe, timestamp, open, high, low, close, volume, known_at)
SELECT id, CAST(:timeframe AS timeframe), at, open, high, low, close, volume, :known_at
FROM {_GIVEN}
ORDER BY id, at
ON CONFLICT DO NOTHING
""")
_LOCK = sa.text(f"""
SELECT count(*) FROM (
    SELECT 1 FROM market_data AS stored JOIN {_GIVEN} ON {_SAME_SLOT}
    ORDER BY given.id, given.at
    FOR UPDATE OF stored
) AS locked
""")
_KEEP = sa.text(f"""
INSERT INTO market_data_revisions
    (cryptocurrency_id, timeframe, timestamp, known_from, known_to,
     open, high, low, close, volume)
SELECT stored.cryptocurrency_id, stored.timeframe, stored.timestamp,
       stored.known_at, {_KNOWN_FROM_NOW_ON},
       stored.open, stored.high, stored.low, stored.close, stored.volume
FROM market_data AS stored JOIN {_GIVEN} ON {_SAME_SLOT}
WHERE {_DIFFERS}
""")
_REPLACE = sa.text(f"""
UPDATE market_data AS stored
SET open = given.open, high = given.high, low = given.low, close = given.close,
    volume = given.volume, known_at = {_KNOWN_FROM_NOW_ON}
FROM {_GIVEN}
WHERE {_SAME_SLOT} AND {_DIFFERS}
""")


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """Bars that were not stored, and stored ones that had another value."""

    inserted: int
    revised: int


def merge_bars(
    session: Session, timeframe: Timeframe, bars: KeyedBars, known_at: datetime
) -> MergeCounts:
    """Insert, or correct and keep the old value, or leave alone, whichever fits.

    Needs no lock of the caller: a row another transaction writes meanwhile is waited
    for and then corrected. Slower than a COPY; meant for few rows.
    """
    inserted = revised = 0
    for part in bars.parts(_ROWS_PER_STATEMENT):
        given = _parameters(timeframe, part, known_at)
        inserted += _run(session, _INSERT, given)
        session.execute(_LOCK, given)
        revised += _run(session, _KEEP, given)
        session.execute(_REPLACE, given)
    return MergeCounts(inserted, revised)


def _run(session: Session, statement: sa.TextClause, given: dict[str, Any]) -> int:
    result = session.execute(statement, given)
    assert isinstance(result, sa.CursorResult)
    return result.rowcount


def _parameters(
    timeframe: Timeframe, bars: KeyedBars, known_at: datetime
) -> dict[str, Any]:
    opens = [from_microseconds(open_at) for open_at in bars.opens.tolist()]
    columns = zip(VALUES, bars.values.tolist(), strict=True)
    return {
        "ids": bars.ids.tolist(),
        "opens": opens,
        "timeframe": timeframe.value,
        "first_id": int(bars.ids[0]),
        "last_id": int(bars.ids[-1]),
        "first_at": min(opens),
        "last_at": max(opens),
        "known_at": known_at,
        **dict(columns),
    }
