"""Moves the cursors of series that just got their next bars, in one statement."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.array_text import array_text
from app.models.bars import from_microseconds
from app.models.series_lock import SeriesKey


class NextBars(NamedTuple):
    """The next bars of a series; times are microseconds since 1970-01-01 UTC.

    `begins` is the first slot spoken of, `expected` where the watermark is believed
    to stand, `last` the newest bar, `ends` the slot after it, `new` the number of
    bars from `expected` on.
    """

    key: SeriesKey
    begins: int
    expected: int
    last: int
    ends: int
    new: int


_FRAMES = {frame.value: frame for frame in Timeframe}
_PLACES = {frame: place for place, frame in enumerate(Timeframe)}
# Rows are given in key order, so that cursors are as a rule locked in it as elsewhere;
# where the planner chooses otherwise and two such writers meet, PostgreSQL ends one,
# which begins again. Only cursors that stand where they are expected, with nothing
# special about them, are locked. Nearly always all series of a time frame make the same
# step: steps are given apart from them.
_ADVANCE = sa.text("""
WITH moved AS (
UPDATE series_cursors AS cursor
SET watermark_at = step.ends, last_bar_at = step.last,
    bars = cursor.bars + step.new, run_id = :run_id, updated_at = now()
FROM unnest(CAST(:ids AS integer[]), CAST(:steps AS integer[])) AS given (id, step)
JOIN unnest(
    CAST(:numbers AS integer[]), CAST(:frames AS timeframe[]),
    CAST(:begins AS timestamptz[]), CAST(:expected AS timestamptz[]),
    CAST(:last AS timestamptz[]), CAST(:ends AS timestamptz[]),
    CAST(:new AS bigint[])
) AS step (number, frame, begins, expected, last, ends, new)
ON step.number = given.step
WHERE cursor.cryptocurrency_id = given.id AND cursor.timeframe = step.frame
  AND cursor.watermark_at = step.expected AND cursor.history_from <= step.begins
  AND cursor.first_bar_at IS NOT NULL AND cursor.pending_reason IS NULL
  AND cursor.closed_at IS NULL
RETURNING cursor.cryptocurrency_id, cursor.timeframe
)
SELECT count(*), array_agg(cryptocurrency_id), array_agg(timeframe::text)
FROM moved HAVING count(*) < :wanted
""")
_CORRECT = sa.text("""
UPDATE series_cursors AS cursor
SET bars = cursor.bars + given.bars, revisions = cursor.revisions + given.revisions
FROM unnest(
    CAST(:ids AS integer[]), CAST(:frames AS timeframe[]),
    CAST(:bars AS bigint[]), CAST(:revisions AS bigint[])
) AS given (id, frame, bars, revisions)
WHERE cursor.cryptocurrency_id = given.id AND cursor.timeframe = given.frame
""")


def advance_cursors(
    session: Session, series: Sequence[NextBars], run_id: uuid.UUID
) -> set[SeriesKey]:
    """Lock and move the cursors that stand where `series` expects them; which did.

    A cursor elsewhere, of a series that is late or closed, or without bars is neither
    locked nor moved: such a series needs more care.
    """
    if not series:
        return set()
    series = sorted(series, key=lambda item: (item.key[0], _PLACES[item.key[1]]))
    numbers: dict[tuple[Timeframe, int, int, int, int, int], int] = {}
    steps = [
        numbers.setdefault(
            (item.key[1], item.begins, item.expected, item.last, item.ends, item.new),
            len(numbers),
        )
        for item in series
    ]
    frames, begins, expected, last, ends, new = zip(*numbers, strict=True)
    short = session.execute(
        _ADVANCE,
        {
            "ids": array_text(item.key[0] for item in series),
            "steps": array_text(steps),
            "numbers": array_text(numbers.values()),
            "frames": array_text(frame.value for frame in frames),
            "begins": _instants(begins),
            "expected": _instants(expected),
            "last": _instants(last),
            "ends": _instants(ends),
            "new": array_text(new),
            "run_id": run_id,
            "wanted": len(series),
        },
    ).one_or_none()
    if short is None:  # as a rule all of them did
        return {item.key for item in series}
    return {
        (key, _FRAMES[frame])
        for key, frame in zip(short[1] or (), short[2] or (), strict=True)
    }


def add_counts(session: Session, extra: Sequence[tuple[SeriesKey, int, int]]) -> None:
    """Add (bars, revisions) to the sums of locked cursors."""
    if not extra:
        return
    session.execute(
        _CORRECT,
        {
            "ids": array_text(key[0] for key, _, _ in extra),
            "frames": array_text(key[1].value for key, _, _ in extra),
            "bars": array_text(bars for _, bars, _ in extra),
            "revisions": array_text(revisions for _, _, revisions in extra),
        },
    )


def _instants(microseconds: Iterable[int]) -> str:
    return array_text(from_microseconds(at).isoformat() for at in microseconds)
