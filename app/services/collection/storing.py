"""Writes fetched pages: bars, corrections, gaps and cursors in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.domain.gap import GapReason
from app.domain.slots import SlotRun
from app.exchange.replies import CandlePage, RejectedItem
from app.models import QuarantinedRow, SeriesCursor
from app.models.bars import BAR_DTYPE, VALUES, SeriesBars
from app.models.ingest import store_bars
from app.models.series_lock import lock_cursors
from app.services.collection.accounting import account_for
from app.services.collection.gaps import fill_gaps, open_gaps
from app.services.collection.planning import SeriesTask


@dataclass(frozen=True, slots=True)
class StoredPages:
    """What one transaction changed, in bars and slots."""

    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    gap_slots: int = 0
    filled_slots: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A task with the page that answered it."""

    task: SeriesTask
    page: CandlePage


class PageStore:
    """Stores pages of one exchange for one run. Storing a page twice is harmless."""

    def __init__(self, exchange: str, run_id: UUID, tail_grace_seconds: float) -> None:
        self._exchange = exchange
        self._run_id = run_id
        self._tail_grace_seconds = tail_grace_seconds

    def store(
        self, session: Session, fetched: Sequence[FetchedPage], now: datetime
    ) -> StoredPages:
        """Store `fetched` in the caller's transaction; `now` becomes `known_at`."""
        # 1. One writer a series, in an order that cannot deadlock.
        starts = {item.task.key: item.task.expected_from for item in fetched}
        cursors = lock_cursors(session, starts, self._run_id)
        # 2. The bars, and the values that they supersede.
        result = store_bars(session, [_bars(item) for item in fetched], now)
        # 3. What is missing, what arrived late, and how far we are now.
        gap_slots = filled_slots = 0
        for item in fetched:
            cursor = cursors[item.task.key]
            filled_slots += self._fill(session, item, now)
            gap_slots += self._advance(session, cursor, item, now)
        quarantined = self._quarantine(session, fetched, now)
        return StoredPages(
            inserted=result.inserted,
            revised=result.revised,
            unchanged=result.unchanged,
            gap_slots=gap_slots,
            filled_slots=filled_slots,
            quarantined=quarantined,
        )

    def _fill(self, session: Session, item: FetchedPage, now: datetime) -> int:
        return fill_gaps(
            session,
            item.task.cryptocurrency_id,
            item.task.request.timeframe,
            [candle.open_at for candle in item.page.candles],
            now,
            self._run_id,
        )

    def _advance(
        self, session: Session, cursor: SeriesCursor, item: FetchedPage, now: datetime
    ) -> int:
        account = account_for(
            item.page,
            cursor.watermark_at,
            item.task.request.limit,
            self._tail_grace_seconds,
        )
        slots = sum(
            open_gaps(
                session,
                cursor.cryptocurrency_id,
                cursor.timeframe,
                [run],
                self._reason(cursor, item, run),
                now,
                self._run_id,
            )
            for run in account.missing
        )
        if len(item.page):
            first, last = item.page.candles[0].open_at, item.page.candles[-1].open_at
            cursor.first_bar_at = min(cursor.first_bar_at or first, first)
            cursor.last_bar_at = max(cursor.last_bar_at or last, last)
        if account.watermark_at > cursor.watermark_at:
            cursor.watermark_at = account.watermark_at
        cursor.run_id = self._run_id
        return slots

    @staticmethod
    def _reason(cursor: SeriesCursor, item: FetchedPage, run: SlotRun) -> GapReason:
        if item.page.rejected:
            return GapReason.QUARANTINED
        candles = item.page.candles
        is_before_all = not candles or run.ends_at <= candles[0].open_at
        if cursor.first_bar_at is None and is_before_all:
            return GapReason.NOT_LISTED
        return GapReason.UNKNOWN

    def _quarantine(
        self, session: Session, fetched: Sequence[FetchedPage], now: datetime
    ) -> int:
        rows = [
            _quarantined(self._exchange, item, rejected, now, self._run_id)
            for item in fetched
            for rejected in item.page.rejected
        ]
        return QuarantinedRow.store(session, rows)


def _bars(item: FetchedPage) -> SeriesBars:
    bars = np.empty(len(item.page), dtype=BAR_DTYPE)
    bars["open_at"] = item.page.open_ms * 1000
    for column, name in enumerate(VALUES):
        bars[name] = item.page.values[:, column]
    return SeriesBars(item.task.cryptocurrency_id, item.task.request.timeframe, bars)


def _quarantined(
    exchange: str,
    item: FetchedPage,
    rejected: RejectedItem,
    now: datetime,
    run_id: UUID,
) -> QuarantinedRow:
    return QuarantinedRow(
        exchange=exchange,
        symbol=rejected.symbol,
        timeframe=item.task.request.timeframe,
        what=rejected.what,
        rule=rejected.rule,
        raw=rejected.raw,
        known_at=now,
        run_id=run_id,
    )
