"""Stored bars of a larger time frame against those of a smaller one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.analysis.consistency.aggregates import check_aggregates
from app.analysis.preparation.grid import divides
from app.domain.timeframe import Timeframe
from app.models import MarketDataFinding
from app.services.cross_checks.columns import read_columns
from app.services.cross_checks.findings import (
    CheckCounts,
    finding_rows,
    keep_findings,
)


def find_lower(higher: Timeframe, collected: Collection[Timeframe]) -> Timeframe | None:
    """The largest of the collected time frames of which `higher` is made of whole bars.

    Its own bars are compared with the next smaller one in turn.
    """
    fitting = [frame for frame in collected if divides(frame, higher)]
    return max(fitting, key=lambda frame: frame.duration, default=None)


def check_against_lower(
    session: Session,
    cryptocurrency_ids: Sequence[int],
    lower: Timeframe,
    higher: Timeframe,
    start: datetime,
    end: datetime,
    now: datetime,
    run_id: UUID,
) -> CheckCounts:
    """Compare the `higher` bars that open in [start, end) with aggregates of `lower`.

    Only those of which every smaller bar is stored. A field that differs becomes a
    finding with both values; running it twice adds nothing.
    """
    counts = CheckCounts()
    start, end = higher.floor(start), higher.ceil(end)
    above = read_columns(session, cryptocurrency_ids, higher, start, end)
    if not above:
        return counts
    below = read_columns(session, sorted(above), lower, start, end)
    rows: list[MarketDataFinding] = []
    for key in sorted(above.keys() & below.keys()):
        check = check_aggregates(below[key], above[key], lower, higher)
        counts.compared += check.compared
        counts.found.update(item.rule.value for item in check.findings)
        rows += finding_rows(key, higher, check.findings, now, run_id)
    counts.new = keep_findings(session, rows)
    return counts
