"""Bars that we stored and the exchange no longer serves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.analysis.plausibility.columns import BarFinding
from app.domain.finding_rule import FindingRule
from app.domain.timeframe import Timeframe
from app.models import MarketDataFinding
from app.models.bars import from_microseconds, to_microseconds
from app.services.cross_checks.columns import read_columns
from app.services.cross_checks.findings import finding_rows


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What an exchange answered about a series it had answered about before.

    `opens` (bars,) int64, ascending, in microseconds; `refused` are slots whose bar
    it served and we did not take.
    """

    cryptocurrency_id: int
    timeframe: Timeframe
    opens: NDArray[np.int64]
    refused: Collection[datetime] = ()


def find_vanished(
    session: Session, answers: Sequence[Answer], now: datetime, run_id: UUID
) -> list[MarketDataFinding]:
    """Unsaved findings for stored bars between the first and last bar of an answer.

    Only there is an absence certain: an answer may begin late or end early. The stored
    bar stays. `answers` share their series at most once.
    """
    rows: list[MarketDataFinding] = []
    for item in answers:
        if len(item.opens) < 2:
            continue
        first, last = (from_microseconds(int(item.opens[at])) for at in (0, -1))
        key, timeframe = item.cryptocurrency_id, item.timeframe
        stored = read_columns(session, [key], timeframe, first, last).get(key)
        if stored is None or len(stored) == 0:
            continue
        served = np.isin(stored.open_at, item.opens)
        served |= np.isin(stored.open_at, [to_microseconds(at) for at in item.refused])
        found = []
        for row in np.flatnonzero(~served).tolist():
            values = {
                name: float(getattr(stored, name)[row])
                for name in ("open", "high", "low", "close", "volume")
            }
            expected = {"served": False}
            at, rule = int(stored.open_at[row]), FindingRule.BAR_VANISHED
            found.append(BarFinding(at, rule, values, expected))
        rows += finding_rows(key, timeframe, found, now, run_id)
    return rows
