"""Collects history and then every closed bar of every admitted market."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import ClassVar

import structlog
from sqlalchemy.orm import Session

from app.config.settings import CollectorSettings
from app.core.clock import Clock
from app.core.database import Database
from app.core.failpoints import fp
from app.domain.process import ProcessName
from app.exchange.service import ExchangeService
from app.models.knowledge import publish_horizon
from app.processes.exchange_process import ExchangeProcess
from app.processes.heartbeat import Heartbeat
from app.processes.lease_keeper import LeaseKeeper
from app.services.collection.collector import (
    PAGES_PER_TRANSACTION,
    CollectionService,
    Progress,
    lag_seconds,
    raise_if_nothing_worked,
)
from app.services.collection.planning import SeriesTask
from app.services.collection.repairs import release_repairs

log = structlog.get_logger(__name__)

_CHECKS_PER_PASS = 20


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
        self._has_started = False
        self._lease = LeaseKeeper(
            database, f"collect {exchange.exchange_id}", self.name, self.run_id
        )
        self._shortest = min(settings.timeframes, key=lambda frame: frame.duration)

    def tick(self, now: datetime) -> None:
        """Fetch and store until nothing is due, then repair gaps and look again."""
        self.is_standing_by = not self._lease.hold()
        if self.is_standing_by:
            return
        try:
            server_now = self._collect_what_is_due(now)
        finally:
            # An exchange that is down, too: nobody writes, so what is known is final.
            if self._lease.epoch is not None and not self.stopping.is_set():
                self._publish_horizon()
        self._check_in_idle_time(server_now)
        fp("collector.after_tick")

    async def close(self) -> None:
        """Release the exchange, and the work to a collector that stands by."""
        await super().close()
        self._lease.close()

    def _collect_what_is_due(self, now: datetime) -> datetime:
        """Fetch and store; the exchange's time at which that began."""
        # Closedness is the exchange's to say: our clock may be ahead of it.
        server_now = min(now, self.bridge.run(self.exchange.server_time()))
        if not self._has_started:
            with self._transaction() as session:
                self._service.note_downtime(session, server_now)
            self._has_started = True
        # 1. What is due.
        progress = Progress()
        self._catch_up(server_now, progress)
        # 2. Recorded gaps, and stored bars that may have been corrected.
        with self._transaction() as session:
            repairs = self._service.plan_repairs(session, server_now)
        repaired = Progress()
        self._collect(repairs, repaired, 0)
        with self._transaction() as session:
            release_repairs(session, set(repaired.failed))
            rechecks = self._service.plan_rechecks(session, server_now)
        self._collect(rechecks, Progress(), 0, is_recheck=True)
        return server_now

    def _check_in_idle_time(self, server_now: datetime) -> None:
        """Check bars already stored, as long as no new ones are due."""
        for _ in range(_CHECKS_PER_PASS):
            if self.clock.now() >= self.next_tick_at(server_now):
                return
            with self._transaction() as session:
                due = self._service.check_next(session, self.clock.now())
            if due is None:
                return
            self._service.checked(due)
            self.progress()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """A transaction that commits only while the collecting is ours."""
        with self.database.session_scope() as session:
            self._lease.check(session)
            yield session

    def _catch_up(self, server_now: datetime, progress: Progress) -> None:
        while True:
            with self.database.session_scope() as session:
                due = self._service.plan(session, server_now)
            self.vitals.lag_seconds = lag_seconds(due, self._shortest, server_now)
            # Series that failed are left to the next pass.
            tasks = [task for task in due if task.key not in progress.failed]
            before = progress.pages
            self._collect(tasks, progress, len(tasks))
            if progress.pages == before:
                break
            if not any(self._spans_more(task) for task in tasks):
                break
        if progress.failed:
            with self._transaction() as session:
                self._service.note_failures(session, progress, server_now)
        raise_if_nothing_worked(progress)

    def _publish_horizon(self) -> None:
        with self.database.session_scope() as session:
            settled = publish_horizon(session, self.clock.now())
        if settled is None:
            log.info("horizon_waits", reason="a writer of bars is under way")

    def next_tick_at(self, now: datetime) -> datetime:
        """After the next close of the shortest time frame, or a poll interval."""
        close = self._shortest.next_open(now)
        due = close + timedelta(seconds=self._settings.settle_seconds)
        return min(due, now + timedelta(seconds=self._settings.poll_seconds))

    def _collect(
        self,
        tasks: list[SeriesTask],
        progress: Progress,
        due: int,
        is_recheck: bool = False,
    ) -> None:
        self.progress(pages_due=due, pages_done=progress.pages, bars=progress.bars)
        for first in range(0, len(tasks), PAGES_PER_TRANSACTION):
            chunk = tasks[first : first + PAGES_PER_TRANSACTION]
            fp("collector.before_fetch")
            fetched = self.bridge.run(self._service.fetch(chunk, progress))
            fp("collector.after_fetch")
            if fetched:
                known_at = self.clock.now()
                with self._transaction() as session:
                    self._service.save(session, fetched, known_at, progress)
                    if is_recheck:
                        self._service.check_answers(session, fetched, known_at)
                    fp("store.before_commit")
                fp("store.after_commit")
            self.progress(
                pages_due=max(0, due - first - len(chunk)),
                pages_done=progress.pages,
                bars=progress.bars,
            )

    def _spans_more(self, task: SeriesTask) -> bool:
        return task.request.limit >= self._settings.page_limit
