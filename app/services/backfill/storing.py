"""Writes slices of a back-fill, one transaction at a time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy import Select, func, select

from app.core.clock import Clock
from app.core.database import Database
from app.core.exceptions import RetryableError
from app.domain.gap import GapStatus
from app.domain.timeframe import Timeframe
from app.exchange.rejected import RejectedItem
from app.models import MarketDataGap, SeriesCursor
from app.models.series_lock import SeriesKey
from app.services.backfill.report import SeriesReport
from app.services.backfill.stretches import Known
from app.services.collection.gaps import CONFIRMATIONS_NEEDED
from app.services.collection.ledger import Ledger, StoredSlices
from app.services.collection.slices import SeriesSlice
from app.services.cross_checks.findings import keep_findings
from app.services.cross_checks.implausible import find_implausible
from app.services.quarantine.keeping import keep_rejected

log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_UNRESOLVED = (GapStatus.OPEN, GapStatus.REPAIRING)


class SliceStore:
    """Stores slices of one exchange for one run; storing again changes nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        exchange: str,
        run_id: UUID,
        ledger: Ledger,
    ) -> None:
        self._database = database
        self._clock = clock
        self.exchange = exchange
        self._run_id = run_id
        self._ledger = ledger

    async def store(
        self,
        slices: Sequence[SeriesSlice],
        refused: Sequence[RejectedItem],
        report: SeriesReport,
    ) -> None:
        """Store in a transaction of its own, tried again where that may help.

        A transaction whose outcome is unknown, the connection having been cut after
        COMMIT, may be run again as well: every part of it is idempotent.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                stored, quarantined = self._store_once(slices, refused)
                break
            except RetryableError as error:
                if attempt == _ATTEMPTS:
                    raise
                log.warning("backfill_store_again", attempt=attempt, error=str(error))
                await self._clock.sleep(2.0 ** (attempt - 1))
        report.add(stored, quarantined)

    def _store_once(
        self, slices: Sequence[SeriesSlice], refused: Sequence[RejectedItem]
    ) -> tuple[StoredSlices, int]:
        now = self._clock.now()
        with self._database.session_scope() as session:
            stored = self._ledger.store(session, slices, now)
            known_at, run_id = stored.known_at, self._run_id
            kept = keep_rejected(session, self.exchange, refused, known_at, run_id)
            # Implausible bars stay as they were served, and are flagged.
            keep_findings(session, find_implausible(slices, known_at, run_id))
            return stored, kept.kept

    def find_known(self, key: SeriesKey) -> Known | None:
        """What is accounted for of a series; None: nothing."""
        with self._database.session_scope() as session:
            cursor = SeriesCursor.find(session, *key)
            if cursor is None:
                return None
            gaps = MarketDataGap.get_for_series(session, *key)
            return Known(
                cursor.history_from,
                cursor.watermark_at,
                tuple(
                    (gap.starts_at, gap.ends_at)
                    for gap in gaps
                    if gap.status in _UNRESOLVED
                    # Given up with a delisted market, which an archive may yet have.
                    or gap.confirmations < CONFIRMATIONS_NEEDED
                ),
            )

    def sum_up(self, key: SeriesKey, report: SeriesReport) -> None:
        """Put where the series stands now into `report`."""
        with self._database.session_scope() as session:
            cursor = SeriesCursor.find(session, *key)
            if cursor is None:
                return
            report.history_from = cursor.history_from
            report.watermark_at = cursor.watermark_at
            report.bars = cursor.bars
            missing = session.scalar(_missing_slots(*key))
            report.slots_missing = int(missing or 0)


def _missing_slots(market: int, timeframe: Timeframe) -> Select[int]:
    return select(func.sum(MarketDataGap.slots)).where(
        MarketDataGap.cryptocurrency_id == market,
        MarketDataGap.timeframe == timeframe,
        MarketDataGap.status != GapStatus.FILLED,
    )
