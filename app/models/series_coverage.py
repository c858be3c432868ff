"""What each series has and lacks, read from cursors and the gap ledger, not counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.gap import GapReason, GapStatus
from app.domain.timeframe import Timeframe
from app.models.series_lock import SeriesKey


@dataclass(frozen=True, slots=True)
class CursorRow:
    """A series' cursor with the name of its market; columns as in `SeriesCursor`."""

    cryptocurrency_id: int
    exchange: str
    symbol: str
    timeframe: Timeframe
    history_from: datetime
    watermark_at: datetime
    last_bar_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    pending_reason: GapReason | None
    bars: int
    revisions: int

    @property
    def key(self) -> SeriesKey:
        """The series: market and time frame."""
        return (self.cryptocurrency_id, self.timeframe)


@dataclass(frozen=True, slots=True)
class GapCount:
    """Gaps of one status and reason, and the slots they cover."""

    status: GapStatus
    reason: GapReason
    gaps: int
    slots: int


_CURSORS = sa.text("""
SELECT cursor.cryptocurrency_id, market.exchange, market.symbol, cursor.timeframe,
       cursor.history_from, cursor.watermark_at, cursor.last_bar_at,
       cursor.closed_at, cursor.close_reason, cursor.pending_reason,
       cursor.bars, cursor.revisions
FROM series_cursors AS cursor
JOIN cryptocurrencies AS market ON market.id = cursor.cryptocurrency_id
WHERE (CAST(:exchange AS text) IS NULL OR market.exchange = :exchange)
  AND (CAST(:symbol AS text) IS NULL OR market.symbol = :symbol)
  AND (CAST(:frame AS timeframe) IS NULL OR cursor.timeframe = :frame)
ORDER BY market.exchange, market.symbol, cursor.timeframe
""")
_GAPS = sa.text("""
SELECT cryptocurrency_id, timeframe, status, reason, count(*), sum(slots)::bigint
FROM market_data_gaps
WHERE status <> 'filled'
GROUP BY cryptocurrency_id, timeframe, status, reason
ORDER BY cryptocurrency_id, timeframe, status, reason
""")


def read_cursors(
    session: Session,
    exchange: str | None = None,
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
) -> list[CursorRow]:
    """Cursors by exchange, symbol and time frame; only those of what is given."""
    frame = timeframe and timeframe.value
    wanted = {"exchange": exchange, "symbol": symbol, "frame": frame}
    rows = session.execute(_CURSORS, wanted)
    return [_cursor(row) for row in rows]


def read_gap_counts(session: Session) -> Mapping[SeriesKey, list[GapCount]]:
    """Gaps that are not filled, by series."""
    counts: dict[SeriesKey, list[GapCount]] = defaultdict(list)
    for key, frame, status, reason, gaps, slots in session.execute(_GAPS):
        count = GapCount(GapStatus(status), GapReason(reason), gaps, slots)
        counts[key, Timeframe(frame)].append(count)
    return counts


def _cursor(row: Sequence[Any]) -> CursorRow:
    key, exchange, symbol, frame, *times, reason, pending, bars, revisions = row
    history_from, watermark_at, last_bar_at, closed_at = times
    return CursorRow(
        cryptocurrency_id=key,
        exchange=exchange,
        symbol=symbol,
        timeframe=Timeframe(frame),
        history_from=history_from,
        watermark_at=watermark_at,
        last_bar_at=last_bar_at,
        closed_at=closed_at,
        close_reason=reason,
        pending_reason=None if pending is None else GapReason(pending),
        bars=bars,
        revisions=revisions,
    )
