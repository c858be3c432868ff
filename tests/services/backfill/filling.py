"""A series being back-filled into a test's database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from app.core.clock import ManualClock
from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.exchange.archives.source import ArchiveSource, FolderArchives
from app.models import MarketDataGap, SeriesCursor
from app.services.backfill.exchange_walk import HistorySource
from app.services.backfill.report import SeriesReport
from app.services.backfill.series_run import SeriesJob
from app.services.backfill.service import BackfillService
from app.services.backfill.storing import SliceStore
from app.services.collection.ledger import Ledger
from tests.models.factories import add_market, add_run

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass
class Filling:
    """One market, and back-fills of it at the time of `clock`."""

    database: Database
    symbol: str = "BTC/USDT"
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))

    def __post_init__(self) -> None:
        with self.database.session_scope() as session:
            self.run_id = add_run(session)
            self.key = add_market(session, self.run_id, self.symbol).id
        self.store = SliceStore(
            self.database, self.clock, "replay", self.run_id, Ledger(self.run_id)
        )

    def job(
        self,
        timeframe: Timeframe,
        since: datetime,
        until: datetime | None = None,
        is_recheck: bool = False,
    ) -> SeriesJob:
        return SeriesJob(
            self.key,
            self.symbol,
            self.symbol.replace("/", ""),
            timeframe,
            since,
            until or timeframe.floor(self.clock.now()),
            is_recheck,
        )

    def fill(
        self,
        job: SeriesJob,
        archives: ArchiveSource | Path | None = None,
        exchange: HistorySource | None = None,
        on_slots: Callable[[int], None] = lambda slots: None,
    ) -> SeriesReport:
        """As `filling`, for tests without an event loop."""
        return asyncio.run(self.filling(job, archives, exchange, on_slots))

    async def filling(
        self,
        job: SeriesJob,
        archives: ArchiveSource | Path | None = None,
        exchange: HistorySource | None = None,
        on_slots: Callable[[int], None] = lambda slots: None,
    ) -> SeriesReport:
        source = FolderArchives(archives) if isinstance(archives, Path) else archives
        service = BackfillService(self.store, source, exchange)
        return await service.fill(job, self.clock.now(), on_slots)

    def fill_from_file(self, job: SeriesJob, path: Path) -> SeriesReport:
        service = BackfillService(self.store, None, None)
        return asyncio.run(
            service.fill_from_file(job, path, self.clock.now(), lambda slots: None)
        )

    def gaps(self, timeframe: Timeframe) -> list[MarketDataGap]:
        with self.database.session_scope() as session:
            found = MarketDataGap.get_for_series(session, self.key, timeframe)
            session.expunge_all()
            return found

    def cursor(self, timeframe: Timeframe) -> SeriesCursor:
        with self.database.session_scope() as session:
            found = SeriesCursor.find(session, self.key, timeframe)
            assert found is not None
            session.expunge(found)
            return found

    def opens(self, timeframe: Timeframe) -> list[datetime]:
        with self.database.session_scope() as session:
            rows = session.execute(
                text(
                    "SELECT timestamp FROM market_data WHERE cryptocurrency_id = :id"
                    " AND timeframe = CAST(:frame AS timeframe) ORDER BY timestamp"
                ),
                {"id": self.key, "frame": timeframe.value},
            )
            return [row[0] for row in rows]

    def contents(self) -> list[Any]:
        """Everything stored of bars, revisions, gaps and quarantine."""
        tables = ("market_data", "market_data_revisions", "quarantine")
        queries = [text(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]
        with self.database.session_scope() as session:
            found = [session.execute(query).all() for query in queries]
            gap = MarketDataGap
            found.append(
                session.execute(
                    select(gap.starts_at, gap.ends_at, gap.status, gap.reason).order_by(
                        gap.starts_at, gap.status
                    )
                ).all()
            )
            return found

    def is_covered(self, timeframe: Timeframe) -> bool:
        """Whether bars and gaps cover the grid exactly, each slot once."""
        cursor = self.cursor(timeframe)
        covered = self.opens(timeframe)
        for gap in self.gaps(timeframe):
            covered += timeframe.opens(gap.starts_at, gap.ends_at)
        expected = timeframe.opens(cursor.history_from, cursor.watermark_at)
        return sorted(covered) == list(expected) and cursor.bars == len(
            self.opens(timeframe)
        )
