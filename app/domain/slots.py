"""Runs of consecutive slots of a series: which are filled and which are missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from app.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class SlotRun:
    """Consecutive slots of one time frame: open times in [starts_at, ends_at)."""

    starts_at: datetime
    ends_at: datetime
    is_filled: bool


def split_by_presence(
    timeframe: Timeframe,
    starts_at: datetime,
    ends_at: datetime,
    present: Collection[datetime],
) -> list[SlotRun]:
    """Cut [starts_at, ends_at) into maximal runs of filled and of missing slots.

    `present` holds the open times of the bars at hand; those outside the range do
    not matter. The runs are ascending, disjoint and cover the range exactly.
    """
    runs: list[SlotRun] = []
    inside = sorted({open_at for open_at in present if starts_at <= open_at < ends_at})
    position = starts_at
    for open_at in inside:
        if open_at > position:
            runs.append(SlotRun(position, open_at, False))
        following = timeframe.next_open(open_at)
        if runs and runs[-1].is_filled and runs[-1].ends_at == open_at:
            runs[-1] = SlotRun(runs[-1].starts_at, following, True)
        else:
            runs.append(SlotRun(open_at, following, True))
        position = following
    if position < ends_at:
        runs.append(SlotRun(position, ends_at, False))
    return runs
