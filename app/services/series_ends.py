"""Ends the series of a market that is gone, and lets them go on when it is back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.gap import GapReason, GapStatus
from app.domain.slots import SlotRun
from app.models import MarketDataGap, SeriesCursor
from app.models.series_lock import lock_cursors
from app.services.collection.gaps import CONFIRMATIONS_NEEDED, Evidence, GapBook
from app.services.collection.halts import Halt, find_halts, split_by_halts


def close_series(
    session: Session,
    cryptocurrency_ids: Collection[int],
    reason: str,
    now: datetime,
    run_id: UUID,
) -> int:
    """Expect no bar of these markets after `now`; how many series ended.

    A series ends with the slot in which the market was found gone. Slots before that
    which nobody has answered for are absent for good, as nobody is left to ask: those
    of a known halt for maintenance, the others for a reason unknown, since they opened
    before the market was found gone. A bar that comes all the same, from an archive,
    fills its slot. Stored bars stay.

    Gaps that were recorded before stay open, for an archive to fill; their slots in a
    known halt get that reason, as no answer will bring it any more.
    """
    ended = [
        cursor
        for cursor in _lock(session, cryptocurrency_ids, run_id)
        if cursor.closed_at is None
    ]
    book = GapBook(session, run_id, now)
    for cursor in ended:
        end = max(cursor.watermark_at, cursor.timeframe.ceil(now))
        run = SlotRun(cursor.watermark_at, end, is_filled=False)
        halts = find_halts(session, cursor.cryptocurrency_id)
        _tell_halts(session, book, cursor, halts)
        if run.ends_at > run.starts_at:
            for part, why in split_by_halts(cursor.timeframe, run, halts):
                book.give_up((cursor.cryptocurrency_id, cursor.timeframe), part, why)
        _account_until(cursor, end)
        cursor.closed_at, cursor.close_reason = end, reason
        cursor.run_id = run_id
    return len(ended)


def reopen_series(
    session: Session, cryptocurrency_ids: Collection[int], now: datetime, run_id: UUID
) -> int:
    """Expect bars of these markets again; how many series go on.

    The slots since they ended go to the gap ledger as not listed: the market may have
    come back before we saw it, so they are asked for like any other gap. So are those
    that were given up at the end without three answers.
    """
    going_on = [
        cursor
        for cursor in _lock(session, cryptocurrency_ids, run_id)
        if cursor.closed_at is not None
    ]
    book = GapBook(session, run_id, now)
    for cursor in going_on:
        _ask_again(session, cursor)
        until = max(cursor.watermark_at, cursor.timeframe.floor(now))
        _leave_out(book, cursor, until)
        cursor.closed_at = cursor.close_reason = None
        cursor.run_id = run_id
    return len(going_on)


def _tell_halts(
    session: Session, book: GapBook, cursor: SeriesCursor, halts: Sequence[Halt]
) -> None:
    for gap in MarketDataGap.get_for_series(
        session, cursor.cryptocurrency_id, cursor.timeframe
    ):
        is_open = gap.status in (GapStatus.OPEN, GapStatus.REPAIRING)
        if halts and is_open and gap.reason is GapReason.UNKNOWN:
            run = SlotRun(gap.starts_at, gap.ends_at, is_filled=False)
            book.divide(gap, list(split_by_halts(cursor.timeframe, run, halts)))


def _lock(
    session: Session, cryptocurrency_ids: Collection[int], run_id: UUID
) -> list[SeriesCursor]:
    if not cryptocurrency_ids:
        return []
    found = SeriesCursor.get_for_markets(session, cryptocurrency_ids)
    history = {key: cursor.history_from for key, cursor in found.items()}
    return list(lock_cursors(session, history, run_id).values())


def _ask_again(session: Session, cursor: SeriesCursor) -> None:
    gaps = MarketDataGap.get_for_series(
        session, cursor.cryptocurrency_id, cursor.timeframe
    )
    for gap in gaps:
        is_given_up = gap.confirmations < CONFIRMATIONS_NEEDED
        if gap.status is GapStatus.CONFIRMED_ABSENT and is_given_up:
            gap.status, gap.resolved_at = GapStatus.OPEN, None


def _leave_out(book: GapBook, cursor: SeriesCursor, until: datetime) -> None:
    start = cursor.watermark_at
    if until > start:
        key = (cursor.cryptocurrency_id, cursor.timeframe)
        nothing = Evidence(start, start)
        run = SlotRun(start, until, is_filled=False)
        book.open(key, run, GapReason.NOT_LISTED, nothing)
    _account_until(cursor, until)


def _account_until(cursor: SeriesCursor, until: datetime) -> None:
    cursor.watermark_at = until
    cursor.pending_reason = cursor.pending_since = None
