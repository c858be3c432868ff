"""Fills the history of series: archives first, the exchange for the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.core.exceptions import AppError
from app.exchange.archives.source import ArchiveSource
from app.services.backfill.archive_walk import ArchiveWalk
from app.services.backfill.exchange_walk import ExchangeWalk, HistorySource
from app.services.backfill.recorded import RecordedRun
from app.services.backfill.report import SeriesReport
from app.services.backfill.series_run import SeriesJob, SeriesRun
from app.services.backfill.storing import SliceStore
from app.services.backfill.stretches import Stretch, plan_stretches

OnSlots = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class BackfillService:
    """Back-fills series one after the other; a run that was killed is run again.

    What is done needs no record of its own: it is what cursor and gap ledger account
    for. Without `archives` everything is asked of the exchange, without `exchange`
    what archives lack stays missing.
    """

    store: SliceStore
    archives: ArchiveSource | None
    exchange: HistorySource | None
    page_limit: int = 1000
    tail_grace_seconds: float = 300.0

    def plan(self, job: SeriesJob) -> list[Stretch]:
        """The stretches of `job` that are not accounted for yet."""
        known = self.store.find_known(job.key)
        return plan_stretches(
            job.timeframe, job.since, job.until, known, job.is_recheck
        )

    async def fill(
        self, job: SeriesJob, server_now: datetime, on_slots: OnSlots
    ) -> SeriesReport:
        """Fill one series; an error ends it and is told in its report.

        `on_slots` hears how many slots were gone through; together they are those of
        the stretches of `plan`.
        """
        report = SeriesReport(job.symbol, job.timeframe)
        walk = ArchiveWalk(
            self.archives, job.symbol, job.exchange_symbol, job.timeframe, server_now
        )
        exchange = None
        if self.exchange is not None:
            exchange = ExchangeWalk(
                self.exchange, job.symbol, job.timeframe, self.page_limit
            )
        run = SeriesRun(
            job,
            self.store,
            walk,
            exchange,
            report,
            server_now,
            self.tail_grace_seconds,
            on_slots,
        )

        async def fill_all() -> None:
            for stretch in self.plan(job):
                await run.fill(stretch)

        await self._told(fill_all, report)
        report.files_read, report.refused_files = walk.files_read, walk.refused
        self.store.sum_up(job.key, report)
        return report

    async def fill_from_file(
        self, job: SeriesJob, path: Path, server_now: datetime, on_slots: OnSlots
    ) -> SeriesReport:
        """Store the recorded file of one series; as `fill`."""
        report = SeriesReport(job.symbol, job.timeframe)
        run = RecordedRun(job, path, self.store, report, server_now, on_slots)
        await self._told(run.fill, report)
        self.store.sum_up(job.key, report)
        return report

    @staticmethod
    async def _told(work: Callable[[], Awaitable[None]], report: SeriesReport) -> None:
        try:
            await work()
        except AppError as error:
            report.error = str(error)
            report.exit_code = error.exit_code
