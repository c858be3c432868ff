"""Writes fetched pages: bars, corrections, gaps, cursors, quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.exchange.replies import RejectedItem
from app.models import QuarantinedRow
from app.services.collection.fetched import FetchedPage
from app.services.collection.ledger import Ledger, StoredSlices
from app.services.collection.slices import slice_of_page


@dataclass(frozen=True, slots=True)
class StoredPages(StoredSlices):
    """What one transaction changed, refused items included."""

    quarantined: int = 0


class PageStore:
    """Stores pages of one exchange for one run. Storing a page twice is harmless."""

    def __init__(
        self,
        exchange: str,
        run_id: UUID,
        tail_grace_seconds: float,
        recheck_delays_seconds: Sequence[int] = (),
    ) -> None:
        self._exchange = exchange
        self._run_id = run_id
        self._grace = tail_grace_seconds
        self._ledger = Ledger(run_id, recheck_delays_seconds, tail_grace_seconds)

    def store(
        self, session: Session, fetched: Sequence[FetchedPage], now: datetime
    ) -> StoredPages:
        """Store `fetched` in the caller's transaction; `now` becomes `known_at`."""
        slices = [slice_of_page(item, self._grace) for item in fetched]
        stored = self._ledger.store(session, slices, now)
        rows = [
            self._refused(item, rejected, stored.known_at)
            for item in fetched
            for rejected in item.page.rejected
        ]
        quarantined = QuarantinedRow.store(session, rows)
        return StoredPages(**asdict(stored), quarantined=quarantined)

    def _refused(
        self, item: FetchedPage, rejected: RejectedItem, now: datetime
    ) -> QuarantinedRow:
        return QuarantinedRow(
            exchange=self._exchange,
            symbol=rejected.symbol,
            timeframe=item.task.request.timeframe,
            what=rejected.what,
            rule=rejected.rule,
            raw=rejected.raw,
            figures=dict(rejected.figures) or None,
            occurred_at=rejected.occurred_at,
            known_at=now,
            run_id=self._run_id,
        )
