"""From what a check says of a bar to the row that is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.analysis.plausibility.columns import BarFinding
from app.domain.timeframe import Timeframe
from app.models import MarketDataFinding
from app.models.bars import from_microseconds

_ROWS_PER_STATEMENT = 1_000


@dataclass
class CheckCounts:
    """Bars judged and compared; findings by rule, those kept before included."""

    judged: int = 0
    compared: int = 0
    found: Counter[str] = field(default_factory=Counter)
    new: int = 0

    def add(self, other: CheckCounts) -> None:
        """Count `other` in."""
        self.judged += other.judged
        self.compared += other.compared
        self.found.update(other.found)
        self.new += other.new


def finding_rows(
    cryptocurrency_id: int,
    timeframe: Timeframe,
    findings: Iterable[BarFinding],
    now: datetime,
    run_id: UUID,
) -> list[MarketDataFinding]:
    """Unsaved rows of one series; `now` is when they were found."""
    return [
        MarketDataFinding(
            cryptocurrency_id=cryptocurrency_id,
            timeframe=timeframe,
            timestamp=from_microseconds(item.open_at),
            rule=item.rule.value,
            stored=dict(item.stored),
            expected=dict(item.expected),
            known_at=now,
            run_id=run_id,
        )
        for item in findings
    ]


def keep_findings(session: Session, rows: list[MarketDataFinding]) -> int:
    """Store `rows`; how many were not known. The same finding is kept once."""
    new = 0
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        part = rows[start : start + _ROWS_PER_STATEMENT]
        new += MarketDataFinding.store(session, part)
    return new
