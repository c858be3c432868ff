"""One series and a ledger, spoken to in minutes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models import MarketData, MarketDataGap, SeriesCursor
from app.models.bars import BAR_DTYPE, to_microseconds
from app.services.collection.ledger import Ledger, StoredSlices
from app.services.collection.slices import SeriesSlice
from tests.models.factories import add_market, add_run
from tests.services.world import T0, at

M1 = Timeframe.M1
DELAYS = (60, 3600)


class LedgerSeries:
    """A 1m series of a stored market; every minute is counted from T0."""

    def __init__(self, session: Session, symbol: str = "BTC/USDT") -> None:
        self.session = session
        run = add_run(session)
        self.key = add_market(session, run, symbol).id
        self.ledger = Ledger(run, DELAYS)
        self.expected: int | None = None

    def answer(
        self,
        first: int,
        end: int,
        now: float,
        without: Collection[int] = (),
        price: float = 100.0,
        refused: Collection[int] = (),
    ) -> StoredSlices:
        """Store the answer about slots [first, end), had at minute `now`."""
        minutes = [m for m in range(first, end) if m not in {*without, *refused}]
        return self.store(minutes, first, end, now, price, refused)

    def store(
        self,
        minutes: Sequence[int],
        first: int,
        end: int,
        now: float,
        price: float = 100.0,
        refused: Collection[int] = (),
    ) -> StoredSlices:
        """The same with the minutes of the bars."""
        item = SeriesSlice(
            cryptocurrency_id=self.key,
            timeframe=M1,
            bars=bars_at(minutes, price),
            answered_from=at(first),
            answered_until=at(end),
            counts_as_answer=bool(minutes),
            read_at=at(now),
            refused=[at(minute) for minute in refused],
            expected_from=at(self.expected or first),
        )
        stored = self.ledger.store(self.session, [item], at(now))
        self.session.flush()
        return stored

    @property
    def cursor(self) -> SeriesCursor:
        cursor = SeriesCursor.find(self.session, self.key, M1)
        assert cursor is not None
        return cursor

    def gaps(self) -> list[MarketDataGap]:
        """Gaps that are not filled."""
        return MarketDataGap.get_for_series(self.session, self.key, M1)

    def spans(self) -> list[tuple[int, int]]:
        """Gaps as (first minute, minute after the last)."""
        return [(minute(gap.starts_at), minute(gap.ends_at)) for gap in self.gaps()]

    def minutes(self) -> list[int]:
        rows = MarketData.get_range(self.session, self.key, M1, at(-1e5), at(1e5))
        return [minute(row.timestamp) for row in rows]

    def check_cover(self) -> None:
        """Bars and gaps are disjoint and cover the grid; the cursor's sums agree."""
        stored = self.minutes()
        covered = list(stored)
        for first, end in self.spans():
            covered += range(first, end)
        cursor = self.cursor
        start, stop = minute(cursor.history_from), minute(cursor.watermark_at)
        assert sorted(covered) == list(range(start, stop))
        assert cursor.bars == len(stored)
        ends = (minute(stored[0]), minute(stored[-1])) if stored else (None, None)
        assert (minute(cursor.first_bar_at), minute(cursor.last_bar_at)) == ends


def bars_at(minutes: Sequence[int], price: float = 100.0) -> np.ndarray:
    """Flat bars at these minutes."""
    bars = np.zeros(len(minutes), BAR_DTYPE)
    for row, number in enumerate(minutes):
        bars[row] = (to_microseconds(at(number)), *[price] * 4, 1.0)
    return bars


def minute(moment: datetime | int | None) -> int | None:
    """Minutes from T0."""
    if moment is None or isinstance(moment, int):
        return moment
    return round((moment - T0) / timedelta(minutes=1))
