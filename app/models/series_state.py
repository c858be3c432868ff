"""Cursors of many series, locked and written back in a statement each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.gap import GapReason
from app.domain.timeframe import Timeframe
from app.models.array_text import array_text
from app.models.bars import from_microseconds, to_microseconds
from app.models.series_lock import SeriesKey, create_cursors, find_known


@dataclass(slots=True)
class SeriesState:
    """A locked cursor; times are microseconds since 1970-01-01 UTC.

    Plain numbers, because a bar close brings hundreds of these at once and objects of
    the mapper would take longer than storing the bars. Columns as in `SeriesCursor`.
    """

    cryptocurrency_id: int
    timeframe: Timeframe
    history_from: int
    watermark: int
    first_bar: int | None
    last_bar: int | None
    bars: int
    revisions: int
    pending_reason: GapReason | None
    pending_since: int | None
    closed_at: int | None
    rechecked_until: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> SeriesKey:
        """The series: market and time frame."""
        return (self.cryptocurrency_id, self.timeframe)

    @property
    def watermark_at(self) -> datetime:
        """Open time of the first slot not accounted for."""
        return from_microseconds(self.watermark)

    @property
    def history_from_at(self) -> datetime:
        """Open time of the first slot that is accounted for."""
        return from_microseconds(self.history_from)


_EPOCH_US = "(extract(epoch FROM {0}) * 1000000)::bigint"
# Locks are taken in the order of the result, which is the same for every writer.
_LOCK = sa.text(f"""
SELECT cursor.cryptocurrency_id, cursor.timeframe,
       {_EPOCH_US.format("history_from")}, {_EPOCH_US.format("watermark_at")},
       {_EPOCH_US.format("first_bar_at")}, {_EPOCH_US.format("last_bar_at")},
       bars, revisions, pending_reason, {_EPOCH_US.format("pending_since")},
       {_EPOCH_US.format("closed_at")}, rechecked_until
FROM series_cursors AS cursor
JOIN unnest(CAST(:ids AS integer[]), CAST(:frames AS timeframe[])) AS wanted (id, frame)
  ON cursor.cryptocurrency_id = wanted.id AND cursor.timeframe = wanted.frame
ORDER BY cursor.cryptocurrency_id, cursor.timeframe
FOR UPDATE OF cursor
""")
_INSTANT = "timestamptz 'epoch' + {0} * interval '1 microsecond'"
_SAVE = sa.text(f"""
UPDATE series_cursors AS cursor
SET history_from = {_INSTANT.format("given.history_from")},
    watermark_at = {_INSTANT.format("given.watermark")},
    first_bar_at = {_INSTANT.format("given.first_bar")},
    last_bar_at = {_INSTANT.format("given.last_bar")},
    bars = given.bars, revisions = given.revisions,
    pending_reason = given.pending_reason,
    pending_since = {_INSTANT.format("given.pending_since")},
    rechecked_until = given.rechecked_until,
    run_id = :run_id, updated_at = now()
FROM unnest(
    CAST(:ids AS integer[]), CAST(:frames AS timeframe[]),
    CAST(:history_from AS bigint[]), CAST(:watermark AS bigint[]),
    CAST(:first_bar AS bigint[]), CAST(:last_bar AS bigint[]),
    CAST(:bars AS bigint[]), CAST(:revisions AS bigint[]),
    CAST(:pending_reason AS gap_reason[]), CAST(:pending_since AS bigint[]),
    CAST(:rechecked_until AS jsonb[])
) AS given (id, frame, history_from, watermark, first_bar, last_bar, bars, revisions,
            pending_reason, pending_since, rechecked_until)
WHERE cursor.cryptocurrency_id = given.id AND cursor.timeframe = given.frame
""")


def lock_states(
    session: Session,
    history_from: Mapping[SeriesKey, datetime],
    run_id: uuid.UUID,
    known: set[SeriesKey],
) -> dict[SeriesKey, SeriesState]:
    """The cursors of these series, locked until the transaction ends.

    A series without one gets a new cursor at `history_from[key]`. `known` holds keys
    that certainly have one (cursors are never deleted) and saves looking for them.
    """
    if not history_from:
        return {}
    unsure = [key for key in history_from if key not in known]
    if unsure:
        missing = set(unsure) - find_known(session, unsure)
        # Inserts come before every lock and in one order: see `lock_cursors`.
        create_cursors(session, {key: history_from[key] for key in missing}, run_id)
    given = {
        "ids": array_text(key[0] for key in history_from),
        "frames": array_text(key[1].value for key in history_from),
    }
    states = [_state(row) for row in session.execute(_LOCK, given)]
    return {state.key: state for state in states}


def save_states(
    session: Session, states: Iterable[SeriesState], run_id: uuid.UUID
) -> None:
    """Write locked cursors back."""
    rows = list(states)
    if not rows:
        return
    session.execute(
        _SAVE,
        {
            "ids": array_text(row.cryptocurrency_id for row in rows),
            "frames": array_text(row.timeframe.value for row in rows),
            "history_from": array_text(row.history_from for row in rows),
            "watermark": array_text(row.watermark for row in rows),
            "first_bar": array_text(row.first_bar for row in rows),
            "last_bar": array_text(row.last_bar for row in rows),
            "bars": array_text(row.bars for row in rows),
            "revisions": array_text(row.revisions for row in rows),
            "pending_reason": [
                row.pending_reason.value if row.pending_reason else None for row in rows
            ],
            "pending_since": array_text(row.pending_since for row in rows),
            "rechecked_until": [_instants(row.rechecked_until) for row in rows],
            "run_id": run_id,
        },
    )


def read_rechecked(document: Mapping[str, str]) -> dict[str, int]:
    """`SeriesCursor.rechecked_until` in microseconds."""
    return {
        delay: to_microseconds(datetime.fromisoformat(at))
        for delay, at in document.items()
    }


def _state(row: Sequence[Any]) -> SeriesState:
    reason, rechecked = row[8], row[11]
    return SeriesState(
        row[0],
        Timeframe(row[1]),
        row[2],
        row[3],
        row[4],
        row[5],
        row[6],
        row[7],
        GapReason(reason) if reason else None,
        row[9],
        row[10],
        read_rechecked(rechecked) if rechecked else {},
    )


def _instants(rechecked: Mapping[str, int]) -> str:
    return json.dumps(
        {delay: from_microseconds(at).isoformat() for delay, at in rechecked.items()}
    )
