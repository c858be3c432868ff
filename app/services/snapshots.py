"""Records what every admitted market looked like at a snapshot boundary."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.market_sentiment import MarketSentiment
from app.analysis.order_book import BookSummary, summarize_book
from app.analysis.service import IndicatorService
from app.analysis.window import CandleWindow
from app.config.settings import SnapshotSettings
from app.core.exceptions import AppError
from app.domain.market import OrderBook, Ticker
from app.domain.timeframe import Timeframe
from app.exchange.replies import TickerBatch
from app.models import Cryptocurrency, MarketSnapshot, SeriesCursor, UniverseMembership
from app.models.partitions import ensure_partitions
from app.services.windows import read_candle_windows

log = structlog.get_logger(__name__)

_BENCHMARK_BASE = "BTC"

Windows = Mapping[Timeframe, Mapping[int, CandleWindow]]


class BookSource(Protocol):
    """The part of the exchange that snapshots use."""

    async def fetch_tickers(self) -> TickerBatch:
        """The last 24 hours of every market."""

    async def fetch_order_book(self, symbol: str, depth: int) -> OrderBook:
        """The best `depth` levels of each side."""


@dataclass(frozen=True, slots=True)
class MarketView:
    """What the exchange said about one market just now; parts may be missing."""

    ticker: Ticker | None
    book: OrderBook | None


class SnapshotService:
    """Builds and stores the snapshots of one exchange."""

    def __init__(self, exchange: str, settings: SnapshotSettings, run_id: UUID) -> None:
        self._exchange = exchange
        self._settings = settings
        self._run_id = run_id
        self._indicators = IndicatorService()
        self._analyzer = MarketAnalyzer()
        self._sentiment = MarketSentiment()
        # The shortest frame carries mood and correlation, the middle one the regime.
        ordered = sorted(settings.timeframes, key=lambda frame: frame.duration)
        self._fast = ordered[0]
        self._regime_frame = ordered[len(ordered) // 2]
        self._bars = max(
            settings.window_bars,
            self._indicators.bars_needed,
            self._analyzer.bars_needed,
        )

    def members(self, session: Session) -> list[Cryptocurrency]:
        """Markets admitted at present."""
        return [
            market
            for market, verdict in UniverseMembership.get_current(
                session, self._exchange
            )
            if verdict.admitted
        ]

    def is_behind(
        self, session: Session, markets: Sequence[Cryptocurrency], boundary: datetime
    ) -> bool:
        """Whether a bar closed at `boundary` is still to be collected somewhere."""
        cursors = SeriesCursor.get_for_markets(session, [m.id for m in markets])
        for market in markets:
            for timeframe in self._settings.timeframes:
                cursor = cursors.get((market.id, timeframe))
                if cursor is None or cursor.watermark_at < timeframe.floor(boundary):
                    return True
        return False

    def has_snapshots(self, session: Session, boundary: datetime) -> bool:
        """Whether this boundary was recorded already."""
        query = select(MarketSnapshot.timestamp).where(
            MarketSnapshot.timestamp == boundary
        )
        return session.scalar(query.limit(1)) is not None

    async def look(
        self, source: BookSource, symbols: Sequence[str]
    ) -> dict[str, MarketView]:
        """Ask the exchange about each market; one that fails loses only itself."""
        batch = await source.fetch_tickers()
        books = await asyncio.gather(*(self._book(source, s) for s in symbols))
        return {
            symbol: MarketView(batch.tickers.get(symbol), book)
            for symbol, book in zip(symbols, books, strict=True)
        }

    def save(
        self,
        session: Session,
        markets: Sequence[Cryptocurrency],
        views: Mapping[str, MarketView],
        boundary: datetime,
        known_at: datetime,
    ) -> int:
        """Store one snapshot a market; those there already stay as they are."""
        windows: Windows = {
            timeframe: read_candle_windows(
                session,
                markets,
                timeframe,
                timeframe.last_closed(boundary),
                self._bars,
            )
            for timeframe in self._settings.timeframes
        }
        rows = [
            self._row(market, views.get(market.symbol), windows, markets)
            | {"timestamp": boundary, "known_at": known_at, "run_id": self._run_id}
            for market in sorted(markets, key=lambda market: market.id)
        ]
        if not rows:
            return 0
        ensure_partitions(session, "market_snapshots", boundary, boundary)
        statement = insert(MarketSnapshot).on_conflict_do_nothing()
        session.execute(statement, rows)
        return len(rows)

    async def _book(self, source: BookSource, symbol: str) -> OrderBook | None:
        try:
            return await source.fetch_order_book(
                symbol, self._settings.order_book_depth
            )
        except AppError as error:
            log.warning("order_book_failed", symbol=symbol, error=str(error))
            return None

    def _row(
        self,
        market: Cryptocurrency,
        view: MarketView | None,
        windows: Windows,
        markets: Sequence[Cryptocurrency],
    ) -> dict[str, Any]:
        ticker = view.ticker if view else None
        book = view.book if view else None
        summary = summarize_book(book) if book is not None else None
        own = {frame: found.get(market.id) for frame, found in windows.items()}
        return {
            "cryptocurrency_id": market.id,
            "last_price": ticker.last if ticker else None,
            "bid": summary.best_bid if summary else None,
            "ask": summary.best_ask if summary else None,
            "spread_bps": summary.spread_bps if summary else None,
            "quote_volume_24h": ticker.quote_volume_24h if ticker else None,
            "bid_depth": summary.bid_depth if summary else None,
            "ask_depth": summary.ask_depth if summary else None,
            "book_imbalance": summary.imbalance if summary else None,
            "order_book": _levels(book) if book else None,
            "bars": {
                frame.value: window.last_open_at.isoformat()
                for frame, window in own.items()
                if window is not None
            },
            "indicators": {
                frame.value: self._indicators.latest(window)
                for frame, window in own.items()
                if window is not None
            },
            "regime": self._regime(own.get(self._regime_frame)),
            "sentiment": self._score(own.get(self._fast), summary),
            "btc_correlation": self._correlation(
                own.get(self._fast), market, markets, windows
            ),
        }

    def _regime(self, window: CandleWindow | None) -> str | None:
        if window is None:
            return None
        regime = self._analyzer.regime(window).regime
        return regime.value if regime else None

    def _score(
        self, window: CandleWindow | None, book: BookSummary | None
    ) -> float | None:
        return None if window is None else self._sentiment.score(window, book).score

    def _correlation(
        self,
        window: CandleWindow | None,
        market: Cryptocurrency,
        markets: Sequence[Cryptocurrency],
        windows: Windows,
    ) -> float | None:
        benchmark = next(
            (
                windows[self._fast].get(other.id)
                for other in markets
                if other.base == _BENCHMARK_BASE and other.quote == market.quote
            ),
            None,
        )
        if window is None or benchmark is None:
            return None
        return self._analyzer.btc_correlation(window, benchmark)


def _levels(book: OrderBook) -> dict[str, list[list[float]]]:
    return {
        "bids": [[level.price, level.amount] for level in book.bids],
        "asks": [[level.price, level.amount] for level in book.asks],
    }
