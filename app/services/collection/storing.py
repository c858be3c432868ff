"""Writes fetched pages: bars, corrections, gaps, cursors, quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.services.collection.fetched import FetchedPage
from app.services.collection.ledger import Ledger, StoredSlices
from app.services.collection.slices import slice_of_page
from app.services.cross_checks.findings import keep_findings
from app.services.cross_checks.implausible import find_implausible
from app.services.quarantine.keeping import keep_rejected


@dataclass(frozen=True, slots=True)
class StoredPages(StoredSlices):
    """What one transaction changed, refused and flagged items included."""

    quarantined: int = 0
    flagged: int = 0


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
        known_at, run_id = stored.known_at, self._run_id
        refused = [item for one in fetched for item in one.page.rejected]
        kept = keep_rejected(session, self._exchange, refused, known_at, run_id)
        # Implausible bars stay as they were served, and are flagged.
        flagged = find_implausible(slices, known_at, run_id)
        keep_findings(session, flagged)
        return StoredPages(
            **asdict(stored), quarantined=kept.kept, flagged=len(flagged)
        )
