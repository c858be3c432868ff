"""From ccxt's candle rows to a page of closed, possible, ordered bars."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from app.domain.rejection import RejectionRule
from app.exchange.bar_rules import broken_rules, find_duplicates, rejected_bar
from app.exchange.moments import milliseconds_of
from app.exchange.rejected import RejectedItem
from app.exchange.replies import CandlePage, CandleRequest
from app.exchange.strict_replies import RawRows

_Bools = npt.NDArray[np.bool_]
_COLUMNS = 6


def build_page(
    request: CandleRequest,
    rows: list[Any],
    server_now: datetime,
    replied_at: datetime | None = None,
) -> CandlePage:
    """Sort the rows of one reply into bars, refused rows, and rows left out.

    `server_now` is the exchange's time when the request was sent, `replied_at` that
    after the reply came (the same, if None): only what opens after it is impossible.
    Left out silently are bars before `request.since` (pages may overlap) and the bar
    that is not closed at `server_now`. Refused, with their raw text, are rows that no
    market can have produced. Works on columns: 1,000 rows take about a millisecond.
    """
    raw = rows.raw if isinstance(rows, RawRows) else rows
    table = _table_of(rows)
    timeframe = request.timeframe
    since_ms = milliseconds_of(timeframe.ceil(request.since))
    stop_ms = milliseconds_of(timeframe.floor(server_now))

    judged_at = server_now if replied_at is None else replied_at
    rules = broken_rules(table, timeframe, judged_at)
    rejected: list[RejectedItem] = []
    bad = np.zeros(len(table), dtype=bool)
    is_broken: _Bools = np.any([broken for _, broken in rules], axis=1)
    for rule, broken in (rules[n] for n in np.flatnonzero(is_broken)):
        for index in np.flatnonzero(broken & ~bad).tolist():
            cells = table[index].tolist()
            rejected.append(
                rejected_bar(
                    request.symbol, timeframe, rule, raw[index], cells, judged_at
                )
            )
        bad |= broken

    wanted = ~bad & (table[:, 0] >= since_ms) & (table[:, 0] < stop_ms)
    order = np.flatnonzero(wanted)
    order = order[np.argsort(table[order, 0], kind="stable")]
    is_last, contradicts = find_duplicates(table[order])
    for index in order[contradicts].tolist():
        cells = table[index].tolist()
        rule = RejectionRule.CONTRADICTS_LATER_ROW
        rejected.append(
            rejected_bar(request.symbol, timeframe, rule, raw[index], cells, judged_at)
        )
    good = table[order[is_last]]

    open_ms = good[:, 0].astype(np.int64)
    return CandlePage(
        symbol=request.symbol,
        timeframe=timeframe,
        since=request.since,
        covered_until=_covered_until(request, open_ms, server_now),
        server_now=server_now,
        open_ms=open_ms,
        values=np.ascontiguousarray(good[:, 1:]),
        rejected=tuple(rejected),
    )


def _table_of(rows: list[Any]) -> npt.NDArray[np.float64]:
    """(n, 6) float64; what is no number becomes NaN."""
    try:
        table = np.array([row[:_COLUMNS] for row in rows], dtype=np.float64)
        if table.shape == (len(rows), _COLUMNS):
            return table
    except (TypeError, ValueError, OverflowError):
        pass
    table = np.full((len(rows), _COLUMNS), np.nan)
    for index, row in enumerate(rows):
        if isinstance(row, list | tuple) and len(row) >= _COLUMNS:
            table[index] = [_number(cell) for cell in row[:_COLUMNS]]
    return table


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _covered_until(
    request: CandleRequest, open_ms: npt.NDArray[np.int64], server_now: datetime
) -> datetime:
    """End of the slots this reply answers for.

    After bars it is the end of the last one, since a short page may only have been
    cut; without any it is the whole stretch asked for, as far as bars are closed.
    """
    timeframe = request.timeframe
    if len(open_ms):
        last = datetime.fromtimestamp(int(open_ms[-1]) / 1000, timezone.utc)
        return timeframe.shift(last, 1)
    since = timeframe.ceil(request.since)
    asked = timeframe.shift(since, request.limit)
    return max(since, min(asked, timeframe.floor(server_now)))
