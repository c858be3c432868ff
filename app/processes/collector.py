"""Collects history and then every closed bar of every admitted market."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from app.config.settings import CollectorSettings
from app.core.clock import Clock
from app.core.database import Database
from app.domain.process import ProcessName
from app.exchange.service import ExchangeService
from app.processes.exchange_process import ExchangeProcess
from app.processes.heartbeat import Heartbeat
from app.services.collection.collector import (
    PAGES_PER_TRANSACTION,
    CollectionService,
    Progress,
    lag_seconds,
    raise_if_nothing_worked,
)
from app.services.collection.planning import SeriesTask


class Collector(ExchangeProcess):
    """Walks every series from its cursor to the newest closed bar."""

    name: ClassVar[ProcessName] = ProcessName.COLLECTOR

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        exchange: ExchangeService,
        service: CollectionService,
        settings: CollectorSettings,
        watchdog_seconds: float = 300.0,
    ) -> None:
        super().__init__(clock, database, heartbeat, exchange, watchdog_seconds)
        self._service = service
        self._settings = settings
        self._shortest = min(settings.timeframes, key=lambda frame: frame.duration)

    def tick(self, now: datetime) -> None:
        """Fetch and store until nothing is due, then repair gaps."""
        # Closedness is the exchange's to say: our clock may be ahead of it.
        server_now = min(now, self.bridge.run(self.exchange.server_time()))
        progress = Progress()
        while True:
            with self.database.session_scope() as session:
                tasks = self._service.plan(session, server_now)
            self.vitals.lag_seconds = lag_seconds(tasks, self._shortest, server_now)
            before = progress.pages
            self._collect(tasks, progress, len(tasks))
            # A page that moved nothing would be due again at once: leave it to the
            # next pass, as well as series that failed.
            if len(tasks) <= len(progress.errors) or progress.pages == before:
                break
            if not any(self._spans_more(task) for task in tasks):
                break
        raise_if_nothing_worked(progress)
        with self.database.session_scope() as session:
            repairs = self._service.plan_repairs(session, server_now)
        self._collect(repairs, Progress(), 0)

    def next_tick_at(self, now: datetime) -> datetime:
        """After the next close of the shortest time frame, or a poll interval."""
        close = self._shortest.next_open(now)
        due = close + timedelta(seconds=self._settings.settle_seconds)
        return min(due, now + timedelta(seconds=self._settings.poll_seconds))

    def _collect(self, tasks: list[SeriesTask], progress: Progress, due: int) -> None:
        self.progress(pages_due=due, pages_done=progress.pages, bars=progress.bars)
        for first in range(0, len(tasks), PAGES_PER_TRANSACTION):
            chunk = tasks[first : first + PAGES_PER_TRANSACTION]
            fetched = self.bridge.run(self._service.fetch(chunk, progress))
            if fetched:
                known_at = self.clock.now()
                with self.database.session_scope() as session:
                    self._service.save(session, fetched, known_at, progress)
            self.progress(
                pages_due=max(0, due - first - len(chunk)),
                pages_done=progress.pages,
                bars=progress.bars,
            )

    def _spans_more(self, task: SeriesTask) -> bool:
        return task.request.limit >= self._settings.page_limit
