"""Flags implausible bars: those just stored, and those of a stretch of history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.analysis.plausibility.columns import BarFinding
from app.analysis.plausibility.neighbours import (
    NeighbourRules,
    odd_neighbours,
    price_jumps,
)
from app.analysis.plausibility.shape import odd_shapes
from app.domain.timeframe import Timeframe
from app.models import MarketDataFinding
from app.models.bars import BAR_DTYPE, to_microseconds
from app.services.cross_checks.columns import columns_of, read_columns
from app.services.cross_checks.findings import (
    CheckCounts,
    finding_rows,
    keep_findings,
)

_RULES = NeighbourRules()


class BarsOfSeries(Protocol):
    """What `SeriesSlice` and `SeriesBars` share: ascending bars of `BAR_DTYPE`."""

    @property
    def cryptocurrency_id(self) -> int:
        """The market."""

    @property
    def timeframe(self) -> Timeframe:
        """Length of its bars."""

    @property
    def bars(self) -> NDArray[np.void]:
        """Its bars."""


def find_implausible(
    slices: Sequence[BarsOfSeries], now: datetime, run_id: UUID
) -> list[MarketDataFinding]:
    """Unsaved findings about bars just stored, from nothing but these bars.

    Shapes, and jumps between bars of one slice; spikes need more neighbours and the
    next bar, see `check_plausibility`. Reads nothing and, as good bars are the rule,
    looks at all series at once: 500 slices of a few bars take under a millisecond.
    """
    filled = [item for item in slices if len(item.bars)]
    if not filled:
        return []
    owners = _suspected(filled)
    rows: list[MarketDataFinding] = []
    for owner in owners:
        item = filled[owner]
        columns = columns_of(item.bars)
        # An answer that repeats a bar or two has the close before the new ones.
        found = odd_shapes(columns) + price_jumps(columns, 1, len(columns), _RULES)
        rows += finding_rows(item.cryptocurrency_id, item.timeframe, found, now, run_id)
    return rows


def _suspected(filled: Sequence[BarsOfSeries]) -> list[int]:
    """Positions of the slices in which some bar may be odd."""
    # Not np.concatenate: it compares the fields of every two of the arrays.
    bars = np.frombuffer(b"".join(item.bars.tobytes() for item in filled), BAR_DTYPE)
    owner = np.repeat(np.arange(len(filled)), [len(item.bars) for item in filled])
    high, low, close = bars["high"], bars["low"], bars["close"]
    is_odd = (bars["open"] > high) | (bars["open"] < low)
    is_odd |= (close > high) | (close < low)
    is_odd |= (bars["volume"] == 0) & (high > low)
    same = owner[1:] == owner[:-1]
    ratio = close[1:] / close[:-1]
    factor = _RULES.jump_factor
    is_odd[1:] |= same & ((ratio > factor) | (ratio * factor < 1))
    suspects: list[int] = np.unique(owner[is_odd]).tolist() if is_odd.any() else []
    return suspects


def check_plausibility(
    session: Session,
    cryptocurrency_ids: Sequence[int],
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    now: datetime,
    run_id: UUID,
) -> CheckCounts:
    """Judge the stored bars that open in [start, end) by all rules; keep findings.

    Bars before `start` are read as neighbours. The last stored bar of a series is
    judged for spikes once it has a successor, so begin the next check one bar before
    the end of this one. Running it twice adds nothing.
    """
    counts = CheckCounts()
    context = timeframe.shift(timeframe.ceil(start), -2 * _RULES.bars_before)
    after = timeframe.shift(timeframe.ceil(end), 1)
    rows: list[MarketDataFinding] = []
    read = read_columns(session, cryptocurrency_ids, timeframe, context, after)
    first_at, end_at = to_microseconds(start), to_microseconds(end)
    for key, columns in read.items():
        first, stop = np.searchsorted(columns.open_at, [first_at, end_at]).tolist()
        if first == stop:
            continue
        found: list[BarFinding] = odd_shapes(columns)
        found += odd_neighbours(columns, first, _RULES)
        found = [item for item in found if first_at <= item.open_at < end_at]
        counts.judged += stop - first
        counts.found.update(item.rule.value for item in found)
        rows += finding_rows(key, timeframe, found, now, run_id)
    counts.new = keep_findings(session, rows)
    return counts
