"""Keeps the gap ledger in step with the bars that arrive."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.gap import GapReason, GapStatus
from app.domain.slots import SlotRun, split_by_presence
from app.domain.timeframe import Timeframe
from app.models import MarketDataGap


def open_gaps(
    session: Session,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    runs: Sequence[SlotRun],
    reason: GapReason,
    now: datetime,
    run_id: UUID,
) -> int:
    """Record runs of missing slots; the number of slots recorded.

    A run that begins where an open gap of the same reason ends makes that one longer.
    """
    slots = 0
    for run in runs:
        count = timeframe.count_bars(run.starts_at, run.ends_at)
        slots += count
        before = _open_gap_ending_at(
            session, cryptocurrency_id, timeframe, run.starts_at, reason
        )
        if before is not None:
            # A halt grows by a slot at a time; it is one gap, not hundreds.
            before.ends_at = run.ends_at
            before.slots += count
            continue
        session.add(
            MarketDataGap(
                cryptocurrency_id=cryptocurrency_id,
                timeframe=timeframe,
                starts_at=run.starts_at,
                ends_at=run.ends_at,
                slots=count,
                status=GapStatus.OPEN,
                reason=reason,
                detected_at=now,
                attempts=0,
                run_id=run_id,
            )
        )
    return slots


def _open_gap_ending_at(
    session: Session,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    moment: datetime,
    reason: GapReason,
) -> MarketDataGap | None:
    return session.scalar(
        select(MarketDataGap).where(
            MarketDataGap.cryptocurrency_id == cryptocurrency_id,
            MarketDataGap.timeframe == timeframe,
            MarketDataGap.ends_at == moment,
            MarketDataGap.status == GapStatus.OPEN,
            MarketDataGap.reason == reason,
        )
    )


def fill_gaps(
    session: Session,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    arrived: Collection[datetime],
    now: datetime,
    run_id: UUID,
) -> int:
    """Mark what `arrived` fills of the recorded gaps; the number of slots filled.

    A gap filled in part is cut: the ledger never claims a stored slot is missing.
    """
    if not arrived:
        return 0
    filled = 0
    gaps = MarketDataGap.get_for_series(
        session,
        cryptocurrency_id,
        timeframe,
        start=min(arrived),
        end=timeframe.next_open(max(arrived)),
    )
    for gap in gaps:
        runs = split_by_presence(timeframe, gap.starts_at, gap.ends_at, arrived)
        if not any(run.is_filled for run in runs):
            continue
        filled += _cut(session, gap, runs, now, run_id)
    return filled


def _cut(
    session: Session,
    gap: MarketDataGap,
    runs: Sequence[SlotRun],
    now: datetime,
    run_id: UUID,
) -> int:
    filled = 0
    detected_at, reason, attempts = gap.detected_at, gap.reason, gap.attempts
    session.delete(gap)
    # The unique index must see the old row go before its pieces come.
    session.flush()
    for run in runs:
        slots = gap.timeframe.count_bars(run.starts_at, run.ends_at)
        session.add(
            MarketDataGap(
                cryptocurrency_id=gap.cryptocurrency_id,
                timeframe=gap.timeframe,
                starts_at=run.starts_at,
                ends_at=run.ends_at,
                slots=slots,
                status=GapStatus.FILLED if run.is_filled else GapStatus.OPEN,
                reason=reason,
                detected_at=detected_at,
                resolved_at=now if run.is_filled else None,
                attempts=attempts,
                last_attempt_at=now,
                run_id=run_id,
            )
        )
        filled += slots if run.is_filled else 0
    return filled
