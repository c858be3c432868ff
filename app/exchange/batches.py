"""From ccxt's lists to batches that name what they refused."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Any

from app.core.exceptions import BadData
from app.domain.market import Ticker
from app.exchange.normalise import ticker_from, trade_from
from app.exchange.rejected import RejectedItem, impossible
from app.exchange.replies import TickerBatch, TradePage


def ticker_batch(
    entries: Iterable[Mapping[str, Any]],
    listed: Container[str],
    rejected: list[RejectedItem],
    now: datetime,
) -> TickerBatch:
    """Tickers of the `listed` symbols; `rejected` has what ccxt could not read."""
    tickers: dict[str, Ticker] = {}
    for entry in entries:
        symbol = entry.get("symbol")
        # ccxt makes up a symbol for ids that are not in the market list.
        if not isinstance(symbol, str) or symbol not in listed:
            continue
        try:
            tickers[symbol] = ticker_from(entry, now)
        except BadData as error:
            rejected.append(impossible(symbol, "ticker", error, entry))
    return TickerBatch(tickers, tuple(rejected))


def trade_page(
    entries: Iterable[Mapping[str, Any]],
    symbol: str,
    since: datetime | None,
    limit: int,
    rejected: list[RejectedItem],
    now: datetime,
) -> TradePage:
    """Trades, oldest first: the first `limit` since `since`, else the last `limit`."""
    trades = []
    for entry in entries:
        try:
            trade = trade_from(entry, now)
        except BadData as error:
            rejected.append(impossible(symbol, "trade", error, entry))
            continue
        if since is None or trade.at >= since:
            trades.append(trade)
    trades.sort(key=lambda trade: trade.at)
    trades = trades[-limit:] if since is None else trades[:limit]
    return TradePage(tuple(trades), tuple(rejected))
