"""Stored bars against the trades of their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.analysis.consistency.trades import TradeColumns, check_trades
from app.domain.market import PublicTrade
from app.domain.timeframe import Timeframe
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


class TradeSource(Protocol):
    """The part of the exchange that this check uses."""

    async def fetch_trades(
        self, symbol: str, since: datetime | None = None, limit: int = 500
    ) -> TradePage:
        """Trades, oldest first, from `since` on."""


@dataclass(frozen=True, slots=True)
class TradeList:
    """All trades of a market in [start, end), as far as the venue told them."""

    trades: tuple[PublicTrade, ...]
    start: datetime
    end: datetime


async def fetch_trade_list(
    source: TradeSource, symbol: str, start: datetime, end: datetime
) -> TradeList:
    """The trades of [start, end), page by page; `end` is earlier if they are too many.

    Pages may overlap in the last millisecond of the one before, as trades of one
    instant may be cut in two; trades are told apart by their ids.
    """
    found: dict[str, PublicTrade] = {}
    since = start
    for _ in range(_MOST_PAGES):
        page = await source.fetch_trades(symbol, since, _PAGE)
        before = len(found)
        for trade in page.trades:
            found.setdefault(_identity(trade), trade)
        if not page.trades:
            break
        last = page.trades[-1].at
        if last >= end:
            break
        if len(found) == before:
            if len(page.trades) >= _PAGE:  # one instant fills the page: no way past it
                end = min(end, last)
            break
        since = max(last, since)
    else:
        # A millisecond may have been told in part only.
        end = min(end, since - _MILLISECOND)
    trades = sorted(
        (trade for trade in found.values() if start <= trade.at < end),
        key=lambda trade: trade.at,
    )
    return TradeList(tuple(trades), start, max(start, end))


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
) -> CheckCounts:
    """Compare stored bars that lie wholly in the time of `trades` with them.

    `trades` come from the venue (`fetch_trade_list`), a recording or an archive's
    file. Running it twice adds nothing.
    """
    start = from_microseconds(trades.covers_from)
    end = from_microseconds(trades.covers_until)
    read = read_columns(session, [cryptocurrency_id], timeframe, start, end)
    if cryptocurrency_id not in read:
        return CheckCounts()
    check = check_trades(trades, read[cryptocurrency_id], timeframe)
    rows = finding_rows(cryptocurrency_id, timeframe, check.findings, now, run_id)
    counts = CheckCounts(compared=check.compared)
    counts.found.update(item.rule.value for item in check.findings)
    counts.new = keep_findings(session, rows)
    return counts
