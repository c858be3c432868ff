"""Markets with bars on two time frames, and an exchange that tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.config.settings import SnapshotSettings
from app.core.database import Database
from app.core.exceptions import BadData
from app.domain.market import BookLevel, OrderBook, PublicTrade, Ticker
from app.domain.timeframe import Timeframe
from app.exchange.replies import TickerBatch, TradePage
from app.models import Cryptocurrency, MarketData, MarketSnapshot
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds
from app.models.ingest import store_bars
from app.services.snapshot_rows import MarketView
from app.services.snapshots import SnapshotService
from tests.analysis.windows import random_walk
from tests.models.factories import add_market, add_run

BOUNDARY = datetime(2025, 3, 1, 14, 35, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
FRAMES = (Timeframe.M5, Timeframe.H1)
SYMBOLS = ("ETH/USDT", "BTC/USDT", "ADA/USDT")


class World:
    """Stored markets, and one service that takes their snapshots."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self.database = database
        with database.session_scope() as session:
            self.run_id: UUID = add_run(session, "snapshotter")
            self.markets = [add_market(session, self.run_id, s) for s in SYMBOLS]
        chosen = SnapshotSettings(**{"timeframes": FRAMES} | settings)
        self.service = SnapshotService("replay", chosen, self.run_id)

    def market(self, symbol: str) -> Cryptocurrency:
        return next(m for m in self.markets if m.symbol == symbol)

    def store_walks(
        self,
        bars: int = 700,
        without: Sequence[int] = (),
        of: Collection[str] = SYMBOLS,
    ) -> None:
        """Closed bars up to the boundary, but those that many bars before the last."""
        with self.database.session_scope() as session:
            for market in self.markets:
                for frame in FRAMES if market.symbol in of else ():
                    self.store_walk(session, market, frame, bars, without)

    def store_walk(
        self,
        session: Session,
        market: Cryptocurrency,
        frame: Timeframe,
        bars: int,
        without: Sequence[int] = (),
        known_at: datetime = BOUNDARY,
    ) -> None:
        walk = random_walk(bars, seed=market.id * 31 + len(frame.value))
        rows = np.zeros(bars, BAR_DTYPE)
        step = int(frame.duration.total_seconds() * 1_000_000)
        last = to_microseconds(frame.last_closed(BOUNDARY))
        rows["open_at"] = last + np.arange(1 - bars, 1) * step
        for name in ("open", "high", "low", "close", "volume"):
            rows[name] = getattr(walk, name)
        kept = [n for n in range(bars) if bars - 1 - n not in without]
        store_bars(session, [SeriesBars(market.id, frame, rows[kept])], known_at)

    def take(
        self,
        views: Mapping[str, MarketView] | None = None,
        boundary: datetime = BOUNDARY,
        known_at: datetime = BOUNDARY + SECOND,
    ) -> int:
        """Read, build and store, as the snapshotter does."""
        views = {s: view_of(s) for s in SYMBOLS} if views is None else views
        with self.database.session_scope() as session:
            windows = self.service.read(session, self.markets, boundary)
        batch = self.service.build(self.markets, views, windows, boundary, known_at)
        with self.database.session_scope() as session:
            return self.service.store(session, batch)

    def snapshot(self, session: Session, symbol: str) -> MarketSnapshot:
        return MarketSnapshot.get_latest(session, self.market(symbol).id)[0]


def stored_window(
    session: Session, market: Cryptocurrency, frame: Timeframe, last: datetime
) -> CandleWindow:
    """All stored bars up to one, read row by row."""
    start = datetime(2020, 1, 1, tzinfo=timezone.utc)
    end = frame.close_of(last)
    bars = MarketData.get_range(session, market.id, frame, start, end)
    times = [bar.timestamp.replace(tzinfo=None) for bar in bars]
    return CandleWindow(
        market.symbol,
        frame,
        np.array(times, "datetime64[us]"),
        np.array([bar.open for bar in bars]),
        np.array([bar.high for bar in bars]),
        np.array([bar.low for bar in bars]),
        np.array([bar.close for bar in bars]),
        np.array([bar.volume for bar in bars]),
    )


def book_of(symbol: str) -> OrderBook:
    bids = tuple(BookLevel(99.95 - n / 100, 1.1 + n) for n in range(20))
    asks = tuple(BookLevel(100.05 + n / 100, 0.7 + n) for n in range(15))
    return OrderBook(symbol, BOUNDARY, bids, asks)


def view_of(symbol: str) -> MarketView:
    ticker = Ticker(symbol, BOUNDARY, 100.0, None, None, None, None, None, 5e6)
    return MarketView(ticker, book_of(symbol))


class Exchange:
    """Answers, counts, and fails for one market."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.asked: list[str] = []

    async def fetch_tickers(self) -> TickerBatch:
        self.asked.append("tickers")
        tickers = {s: view_of(s).ticker for s in SYMBOLS}
        return TickerBatch({s: t for s, t in tickers.items() if t is not None})

    async def fetch_order_book(self, symbol: str, depth: int) -> OrderBook:
        self.asked.append(f"book {symbol} {depth}")
        return self._answer(symbol, book_of(symbol))

    async def fetch_trades(
        self, symbol: str, since: datetime | None = None, limit: int = 500
    ) -> TradePage:
        self.asked.append(f"trades {symbol} {limit}")
        sides = ("buy", "buy", "sell", "buy")
        trades = [PublicTrade(None, BOUNDARY, 100.0, 2.0, side) for side in sides]
        return self._answer(symbol, TradePage(tuple(trades)))

    def _answer(self, symbol: str, answer: Any) -> Any:
        if symbol == self.failing:
            raise BadData("the book is crossed")
        return answer


def look(world: World, exchange: Exchange) -> dict[str, MarketView]:
    return asyncio.run(world.service.look(exchange, SYMBOLS))
