"""Bugs in judging an absence: too little counts as proof."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from app.domain.gap import GapStatus
from app.models.series_lock import SeriesKey
from app.services.collection import gaps
from app.services.collection.gaps import Evidence, GapBook


def gap_closed_on_empty() -> None:
    """`[]` closes the gaps that were asked about."""
    note = GapBook.note_answer

    def close(
        self: GapBook,
        key: SeriesKey,
        arrived: Collection[datetime],
        evidence: Evidence,
    ) -> None:
        if arrived:
            note(self, key, arrived, evidence)
            return
        for gap in self._gaps[key]:
            gap.status, gap.resolved_at = GapStatus.CONFIRMED_ABSENT, self.now

    GapBook.note_answer = close  # type: ignore[method-assign]


def confirmed_after_one_answer() -> None:
    """One answer without the bar is enough."""
    gaps.CONFIRMATIONS_NEEDED = 1
    gaps.CONFIRMATION_SPACING = timedelta(0)


def confirmed_within_minutes() -> None:
    """Three answers count however soon they follow each other."""
    gaps.CONFIRMATION_SPACING = timedelta(0)
