"""Stored bars against the trades of their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.analysis.consistency.trades import TradeColumns, check_trades
from app.analysis.plausibility.columns import BarColumns
from app.analysis.preparation.grid import close_times
from app.domain.market import PublicTrade
from app.domain.timeframe import Timeframe
from app.exchange.rejected import RejectedItem
from app.exchange.replies import TradePage
from app.models.bars import from_microseconds, to_microseconds
from app.services.cross_checks.columns import read_columns
from app.services.cross_checks.findings import (
    CheckCounts,
    finding_rows,
    keep_findings,
)

_PAGE = 1_000
_MOST_PAGES = 50
_MILLISECOND = timedelta(milliseconds=1)
# Some venues answer for an hour only; one of no trades is no end of the market.
_WINDOW = timedelta(hours=1)
# A page of more trades, all of one instant, is taken for a full one.
_SMALLEST_FULL_PAGE = 50


class TradeSource(Protocol):
    """The part of the exchange that this check uses."""

    async def fetch_trades(
        self, symbol: str, since: datetime | None = None, limit: int = 500
    ) -> TradePage:
        """Trades, oldest first, from `since` on."""


@dataclass(frozen=True, slots=True)
class TradeList:
    """All trades of a market in [start, end), but for those that were refused.

    `doubtful` holds spans of time, both ends included, in which refused ones lie.
    """

    trades: tuple[PublicTrade, ...]
    start: datetime
    end: datetime
    rejected: tuple[RejectedItem, ...] = ()
    doubtful: tuple[tuple[datetime, datetime], ...] = ()


async def fetch_trade_list(
    source: TradeSource, symbol: str, start: datetime, end: datetime
) -> TradeList:
    """The trades of [start, end), page by page, as far as the venue shows them.

    The list begins at the first trade seen, as a venue may tell the newest only, and
    ends at the last one unless a later trade shows that the time up to `end` is over.
    Pages overlap in the last instant of the one before, as trades of one instant may
    be cut in two; trades are told apart by their ids. A page that does not overlap
    ends the list: what lies between is unknown.
    """
    found: dict[str, PublicTrade] = {}
    rejected: list[RejectedItem] = []
    doubtful: list[tuple[datetime, datetime]] = []
    since, largest, is_after_trade = start, _SMALLEST_FULL_PAGE, False
    for _ in range(_MOST_PAGES):
        page = await source.fetch_trades(symbol, since, _PAGE)
        fresh = {_identity(trade): trade for trade in page.trades}
        has_joined = not is_after_trade or not fresh or bool(fresh.keys() & found)
        is_other = any(trade.at < since for trade in page.trades)
        if found and (is_other or not has_joined):
            break
        rejected += page.rejected
        doubtful += _spans_of(page, since, end)
        if is_other:
            # Its newest trades, whatever was asked for: there is no way on from here.
            found = fresh
            break
        is_known = fresh.keys() <= found.keys()
        found = fresh | found
        last = page.trades[-1].at if page.trades else since
        if last >= end:
            break
        if not is_known:
            since, is_after_trade = last, True
        elif len(fresh) >= largest:  # one instant fills the page: no way past it
            break
        else:
            since, is_after_trade = since + _WINDOW, False
            if since >= end:
                break
        largest = max(largest, len(fresh))
    trades = tuple(sorted(found.values(), key=lambda trade: trade.at))
    if not trades:
        return TradeList((), start, start, tuple(rejected), tuple(doubtful))
    first, last = trades[0].at, trades[-1].at
    if first != start:
        # Of the instant that a list of the newest begins with, some may be cut off.
        start = max(start, first + _MILLISECOND)
    end = max(start, min(end, last))
    trades = tuple(trade for trade in trades if start <= trade.at < end)
    return TradeList(trades, start, end, tuple(rejected), tuple(doubtful))


def _spans_of(
    page: TradePage, since: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """When the refused trades of a page may have happened."""
    times = [trade.at for trade in page.trades]
    since, last = min([since, *times]), max(times, default=end)
    return [
        (since, last) if item.occurred_at is None else (item.occurred_at,) * 2
        for item in page.rejected
    ]


def _identity(trade: PublicTrade) -> str:
    if trade.trade_id is not None:
        return trade.trade_id
    return f"{trade.at.isoformat()} {trade.price!r} {trade.amount!r} {trade.taker_side}"


def columns_of_trades(told: TradeList) -> TradeColumns:
    """The list as columns."""
    trades: Sequence[PublicTrade] = told.trades
    return TradeColumns(
        np.array([to_microseconds(trade.at) for trade in trades], dtype=np.int64),
        np.array([trade.price for trade in trades], dtype=np.float64),
        np.array([trade.amount for trade in trades], dtype=np.float64),
        to_microseconds(told.start),
        to_microseconds(told.end),
    )


def check_against_trades(
    session: Session,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    trades: TradeColumns,
    now: datetime,
    run_id: UUID,
    doubtful: Sequence[tuple[int, int]] = (),
) -> CheckCounts:
    """Compare stored bars that lie wholly in the time of `trades` with them.

    `trades` come from the venue (`fetch_trade_list`), a recording or an archive's
    file. Bars that touch one of the `doubtful` spans (microseconds, both ends
    included), in which a trade was refused, are left out. Running it twice adds
    nothing.
    """
    start = from_microseconds(trades.covers_from)
    end = from_microseconds(trades.covers_until)
    read = read_columns(session, [cryptocurrency_id], timeframe, start, end)
    if cryptocurrency_id not in read:
        return CheckCounts()
    bars = _without(read[cryptocurrency_id], timeframe, doubtful)
    check = check_trades(trades, bars, timeframe)
    rows = finding_rows(cryptocurrency_id, timeframe, check.findings, now, run_id)
    counts = CheckCounts(compared=check.compared)
    counts.found.update(item.rule.value for item in check.findings)
    counts.new = keep_findings(session, rows)
    return counts


def _without(
    bars: BarColumns, timeframe: Timeframe, doubtful: Sequence[tuple[int, int]]
) -> BarColumns:
    if not doubtful:
        return bars
    closes = close_times(bars.open_at.view("datetime64[us]"), timeframe)
    kept = np.ones(len(bars), dtype=bool)
    for first, last in doubtful:
        start = np.searchsorted(closes.astype(np.int64), first, side="right")
        kept[start : np.searchsorted(bars.open_at, last, side="right")] = False
    return BarColumns(*(getattr(bars, each.name)[kept] for each in fields(bars)))


def doubtful_spans(told: TradeList) -> list[tuple[int, int]]:
    """The doubtful spans of the list in microseconds."""
    return [
        (to_microseconds(first), to_microseconds(last)) for first, last in told.doubtful
    ]
