"""What the exchange service hands out: batches that name what they refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.domain.candle import Candle
from app.domain.market import PublicTrade, Ticker
from app.domain.timeframe import Timeframe
from app.exchange.rejected import RejectedItem as RejectedItem


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """One page of candles: at most `limit` bars that open at or after `since`."""

    symbol: str
    timeframe: Timeframe
    since: datetime
    limit: int


@dataclass(frozen=True, eq=False)
class CandlePage:
    """Closed bars of one reply: ascending, on the grid, each open time once.

    `open_ms` (n,) int64 holds open times in epoch milliseconds, `values` (n, 5)
    float64 holds open, high, low, close, volume. `server_now` is the exchange's time
    when the request was sent, never later. The page accounts for every slot in
    [since, covered_until): a slot there without a bar was not in the reply.
    """

    symbol: str
    timeframe: Timeframe
    since: datetime
    covered_until: datetime
    server_now: datetime
    open_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    rejected: tuple[RejectedItem, ...] = ()

    def __len__(self) -> int:
        return len(self.open_ms)

    @cached_property
    def candles(self) -> tuple[Candle, ...]:
        """The bars as domain objects, made on first use."""
        return tuple(
            Candle(datetime.fromtimestamp(ms / 1000, timezone.utc), *row)
            for ms, row in zip(self.open_ms.tolist(), self.values.tolist(), strict=True)
        )

    def before(self, end: datetime) -> CandlePage:
        """The part of the page whose bars open before `end`."""
        kept = int(np.searchsorted(self.open_ms, round(end.timestamp() * 1000)))
        return CandlePage(
            symbol=self.symbol,
            timeframe=self.timeframe,
            since=self.since,
            covered_until=min(self.covered_until, end),
            server_now=self.server_now,
            open_ms=self.open_ms[:kept],
            values=self.values[:kept],
            rejected=self.rejected,
        )


@dataclass(frozen=True, slots=True)
class TickerBatch:
    """Tickers by symbol, and what of the batch was refused."""

    tickers: Mapping[str, Ticker] = field(default_factory=dict)
    rejected: tuple[RejectedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class TradePage:
    """Public trades, oldest first, and what of the reply was refused."""

    trades: tuple[PublicTrade, ...] = ()
    rejected: tuple[RejectedItem, ...] = ()
