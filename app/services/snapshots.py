"""Records what every admitted market looked like at a snapshot boundary."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.analysis.service import IndicatorService
from app.analysis.snapshot.frame import FrameAnalysis
from app.config.settings import SnapshotSettings
from app.core.exceptions import AppError
from app.domain.market import OrderBook, PublicTrade
from app.exchange.replies import TickerBatch, TradePage
from app.models import (
    ConfigurationHistory,
    Cryptocurrency,
    MarketContextRow,
    MarketSnapshot,
    SeriesCursor,
    SnapshotLayout,
    UniverseMembership,
)
from app.models.partitions import ensure_partitions
from app.services.snapshot_rows import (
    MarketView,
    SnapshotBatch,
    SnapshotBuilder,
    Windows,
)
from app.services.windows import read_candle_windows

log = structlog.get_logger(__name__)


class ViewSource(Protocol):
    """The part of the exchange that snapshots use."""

    async def fetch_tickers(self) -> TickerBatch:
        """The last 24 hours of every market."""

    async def fetch_order_book(self, symbol: str, depth: int) -> OrderBook:
        """The best `depth` levels of each side."""

    async def fetch_trades(
        self, symbol: str, since: datetime | None = None, limit: int = 500
    ) -> TradePage:
        """The newest `limit` trades."""


class SnapshotService:
    """Reads, builds and stores the snapshots of one exchange.

    Three steps, so that no transaction is open while the exchange is asked or figures
    are computed. Raises ConfigurationError for an indicator that is none of ours.
    """

    def __init__(self, exchange: str, settings: SnapshotSettings, run_id: UUID) -> None:
        self._exchange = exchange
        self._settings = settings
        self._run_id = run_id
        indicators = None
        if settings.indicators:
            indicators = IndicatorService.from_config(settings.indicators)
        self.builder = SnapshotBuilder(
            settings.timeframes, FrameAnalysis(indicators), exchange
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
        self, source: ViewSource, symbols: Sequence[str]
    ) -> dict[str, MarketView]:
        """Ask the exchange about each market; one that fails loses only itself."""
        batch = await source.fetch_tickers()
        books = await asyncio.gather(*(self._book(source, s) for s in symbols))
        trades = await asyncio.gather(*(self._trades(source, s) for s in symbols))
        return {
            symbol: MarketView(batch.tickers.get(symbol), book, recent)
            for symbol, book, recent in zip(symbols, books, trades, strict=True)
        }

    def read(
        self, session: Session, markets: Sequence[Cryptocurrency], boundary: datetime
    ) -> Windows:
        """The bars of each series that were closed at the boundary and are stored."""
        return {
            timeframe: read_candle_windows(
                session,
                markets,
                timeframe,
                timeframe.last_closed(boundary),
                max(
                    self._settings.window_bars,
                    self.builder.analysis.slots_on(timeframe),
                ),
            )
            for timeframe in self.builder.timeframes
        }

    def build(
        self,
        markets: Sequence[Cryptocurrency],
        views: Mapping[str, MarketView],
        windows: Windows,
        boundary: datetime,
        known_at: datetime,
    ) -> SnapshotBatch:
        """One snapshot a market; `known_at` is when the last of it was read."""
        return self.builder.build(
            markets, views, windows, boundary, known_at, self._run_id
        )

    def store(self, session: Session, batch: SnapshotBatch) -> int:
        """Store a boundary; snapshots that are there already stay as they are."""
        if not batch.snapshots:
            return 0
        self._keep_requirements(session)
        boundary = batch.boundary
        ensure_partitions(session, "market_snapshots", boundary, boundary)
        ids = SnapshotLayout.get_or_add(session, set(batch.layouts))
        rows = [
            row | {"layout_id": ids[layout]}
            for row, layout in zip(batch.snapshots, batch.layouts, strict=True)
        ]
        for model, found in (
            (MarketSnapshot, rows),
            (MarketContextRow, batch.contexts),
        ):
            session.execute(insert(model).on_conflict_do_nothing(), list(found))
        return len(rows)

    def _keep_requirements(self, session: Session) -> None:
        """With the run's configuration, once."""
        run = ConfigurationHistory
        statement = (
            update(run)
            .where(run.run_id == self._run_id, run.requirements.is_(None))
            .values(requirements=self.builder.requirements())
        )
        session.execute(statement)

    async def _book(self, source: ViewSource, symbol: str) -> OrderBook | None:
        try:
            return await source.fetch_order_book(
                symbol, self._settings.order_book_depth
            )
        except AppError as error:
            log.warning("order_book_failed", symbol=symbol, error=str(error))
            return None

    async def _trades(
        self, source: ViewSource, symbol: str
    ) -> tuple[PublicTrade, ...] | None:
        limit = self._settings.taker_trades
        if not limit:
            return None
        try:
            page = await source.fetch_trades(symbol, limit=limit)
            return page.trades
        except AppError as error:
            log.warning("trades_failed", symbol=symbol, error=str(error))
            return None
