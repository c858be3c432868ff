"""Checks back-filled bars against the trades that archives hold of their time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog

from app.core.database import Database
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from app.exchange.archives.layout import (
    ArchiveFile,
    ArchiveKind,
    day_files,
    month_file,
)
from app.exchange.archives.source import ArchiveSource
from app.exchange.archives.trades import TradeChunk, read_trades
from app.exchange.rejected import RejectedItem
from app.services.backfill.series_run import SeriesJob
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.trade_files import check_trade_chunks
from app.services.quarantine.keeping import keep_rejected

log = structlog.get_logger(__name__)

# Aggregated trades have the same volume in a fraction of the rows.
_AGG = ArchiveKind.AGG_TRADES


@dataclass
class TradeCheck:
    """What a check of one series against archived trades found."""

    files_read: int = 0
    refused_files: list[str] = field(default_factory=list)
    quarantined: int = 0
    counts: CheckCounts = field(default_factory=CheckCounts)


@dataclass(frozen=True, slots=True)
class TradeChecker:
    """Compares stored bars with trades; differences become findings, nothing else.

    No trade is stored but a refused one, in quarantine; bars that it may belong to are
    left out. A month's file is used where there is one, else those of its days; a
    file's first and last bars are left out, as its ends may cut them.
    """

    archives: ArchiveSource
    database: Database
    exchange: str
    run_id: UUID

    async def check(self, job: SeriesJob, now: datetime) -> TradeCheck:
        """Check the bars of [job.since, job.until) where trades are at hand."""
        result = TradeCheck()
        async for path in self._files(job, now, result):
            refused: list[RejectedItem] = []
            chunks = _chunks(path, job.symbol, refused)
            try:
                with self.database.session_scope() as session:
                    counts = check_trade_chunks(
                        session,
                        job.cryptocurrency_id,
                        job.timeframe,
                        chunks,
                        now,
                        self.run_id,
                    )
            except BadData as error:
                result.refused_files.append(str(error))
            else:
                result.counts.add(counts)
                result.files_read += 1
            result.quarantined += self._quarantine(refused, now)
        return result

    def _quarantine(self, refused: list[RejectedItem], now: datetime) -> int:
        with self.database.session_scope() as session:
            kept = keep_rejected(session, self.exchange, refused, now, self.run_id)
            return kept.kept

    async def _files(
        self, job: SeriesJob, now: datetime, result: TradeCheck
    ) -> AsyncIterator[Path]:
        months = Timeframe.MN1.opens(Timeframe.MN1.floor(job.since), job.until)
        for month in months:
            file = month_file(job.exchange_symbol, month, None, _AGG)
            if (path := await self._find(file, now, result)) is not None:
                yield path
                continue
            for day in day_files(file):
                if day.ends_at <= job.since or day.starts_at >= job.until:
                    continue
                if (path := await self._find(day, now, result)) is not None:
                    yield path

    async def _find(
        self, file: ArchiveFile, now: datetime, result: TradeCheck
    ) -> Path | None:
        """The file's trades, aggregated or else single ones."""
        for kind in (_AGG, ArchiveKind.TRADES):
            path = await self._try(replace(file, kind=kind), now, result)
            if path is not None:
                return path
        return None

    async def _try(
        self, file: ArchiveFile, now: datetime, result: TradeCheck
    ) -> Path | None:
        if file.ends_at > now:
            return None
        try:
            return await self.archives.find(file)
        except BadData as error:
            result.refused_files.append(str(error))
            log.warning("archive_refused", file=file.name, error=str(error))
            return None


def _chunks(
    path: Path, symbol: str, refused: list[RejectedItem]
) -> Iterator[TradeChunk]:
    for chunk in read_trades(path, symbol):
        refused += chunk.refused
        yield chunk
