"""Which slots of an answer are missing, and what is known of why at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from app.domain.gap import GapReason
from app.domain.slots import SlotRun, split_by_presence
from app.domain.timeframe import Timeframe
from app.models.bars import to_microseconds
from app.models.series_state import SeriesState
from app.services.collection.presence import OpenTimes
from app.services.collection.slices import SeriesSlice


def missing_with_reasons(
    item: SeriesSlice, state: SeriesState, starts_at: datetime, ends_at: datetime
) -> Iterator[tuple[SlotRun, GapReason]]:
    """Runs of [starts_at, ends_at) that `item` has no bar for, each with its reason.

    A refused row whose slot is unknown may be any of the missing bars, but a few such
    rows do not explain a hole of thousands of slots.
    """
    refused = set(item.refused)
    arrived = OpenTimes(item.bars["open_at"])
    runs = _missing_runs(item.timeframe, starts_at, ends_at, arrived, refused)
    missing = sum(
        item.timeframe.count_bars(run.starts_at, run.ends_at)
        for run in runs
        if run.starts_at not in refused
    )
    may_be_unclear = missing <= item.unclear
    for run in runs:
        if may_be_unclear or run.starts_at in refused:
            yield run, GapReason.QUARANTINED
        else:
            yield run, _reason(item, state, run)


def _missing_runs(
    timeframe: Timeframe,
    starts_at: datetime,
    ends_at: datetime,
    present: OpenTimes,
    refused: Collection[datetime],
) -> list[SlotRun]:
    """Runs without a bar; refused slots are runs apart."""
    if starts_at >= ends_at:
        return []
    runs = []
    for run in present.missing_between(timeframe, starts_at, ends_at):
        parts = split_by_presence(timeframe, run.starts_at, run.ends_at, refused)
        runs += [SlotRun(part.starts_at, part.ends_at, False) for part in parts]
    return runs


def _reason(item: SeriesSlice, state: SeriesState, run: SlotRun) -> GapReason:
    first = item.bars["open_at"][0] if len(item.bars) else None
    ends = to_microseconds(run.ends_at)
    is_before_all = first is None or ends <= first
    if is_before_all and (state.first_bar is None or ends <= state.first_bar):
        return GapReason.NOT_LISTED
    outage = state.pending_reason is GapReason.EXCHANGE_OUTAGE
    return GapReason.EXCHANGE_OUTAGE if outage else GapReason.UNKNOWN
