"""What became of one series of a back-fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.core.exceptions import ExitCode
from app.domain.timeframe import Timeframe
from app.services.collection.ledger import StoredSlices


@dataclass
class SeriesReport:
    """Counts of one run over one series.

    `slots_missing` are those without a bar, whatever their gap's state; `findings`
    are differences between `bars_compared` and the trades of their time.
    """

    symbol: str
    timeframe: Timeframe
    files_read: int = 0
    pages_fetched: int = 0
    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    gap_slots: int = 0
    filled_slots: int = 0
    confirmed_slots: int = 0
    quarantined: int = 0
    transactions: int = 0
    refused_files: list[str] = field(default_factory=list)
    trade_files_read: int = 0
    bars_compared: int = 0
    findings: int = 0
    error: str | None = None
    exit_code: ExitCode = ExitCode.OK
    history_from: datetime | None = None
    watermark_at: datetime | None = None
    bars: int = 0
    slots_missing: int = 0

    @property
    def changed(self) -> int:
        """Bars and slots that are otherwise than before."""
        return (
            self.inserted
            + self.revised
            + self.gap_slots
            + self.filled_slots
            + self.confirmed_slots
            + self.quarantined
        )

    def add(self, stored: StoredSlices, quarantined: int) -> None:
        """Count one transaction."""
        self.transactions += 1
        self.inserted += stored.inserted
        self.revised += stored.revised
        self.unchanged += stored.unchanged
        self.gap_slots += stored.gap_slots
        self.filled_slots += stored.filled_slots
        self.confirmed_slots += stored.confirmed_slots
        self.quarantined += quarantined
