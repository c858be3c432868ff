"""Takes a snapshot of every admitted market at each boundary."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from app.config.settings import SnapshotSettings
from app.core.clock import Clock
from app.core.database import Database
from app.domain.process import ProcessName
from app.exchange.service import ExchangeService
from app.processes.base import next_boundary
from app.processes.exchange_process import ExchangeProcess
from app.processes.heartbeat import Heartbeat
from app.services.snapshots import SnapshotService

# Bars of the boundary take a moment to be collected; this part of an interval is
# waited for them, then the snapshot says which bars it saw.
_PATIENCE = 0.5
_LOOKS_PER_INTERVAL = 20


class Snapshotter(ExchangeProcess):
    """Snapshots on the UTC grid; a boundary missed while down is not made up."""

    name: ClassVar[ProcessName] = ProcessName.SNAPSHOTTER

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        exchange: ExchangeService,
        service: SnapshotService,
        settings: SnapshotSettings,
        watchdog_seconds: float = 300.0,
    ) -> None:
        super().__init__(clock, database, heartbeat, exchange, watchdog_seconds)
        self._service = service
        self._interval = settings.interval_seconds
        self._is_waiting_for_bars = False

    def tick(self, now: datetime) -> None:
        """Record the newest boundary, unless that is done or its bars are missing."""
        boundary = next_boundary(now, self._interval) - timedelta(
            seconds=self._interval
        )
        self._is_waiting_for_bars = False
        with self.database.session_scope() as session:
            if self._service.has_snapshots(session, boundary):
                return
            markets = self._service.members(session)
            behind = self._service.is_behind(session, markets, boundary)
        age = (now - boundary).total_seconds()
        if not markets or (behind and age < self._interval * _PATIENCE):
            self._is_waiting_for_bars = True
            return
        symbols = [market.symbol for market in markets]
        views = self.bridge.run(self._service.look(self.exchange, symbols))
        with self.database.session_scope() as session:
            windows = self._service.read(session, markets, boundary)
        known_at = self.clock.now()
        batch = self._service.build(markets, views, windows, boundary, known_at)
        with self.database.session_scope() as session:
            count = self._service.store(session, batch)
        self.vitals.lag_seconds = age
        self.vitals.detail.update(snapshots=count)

    def next_tick_at(self, now: datetime) -> datetime:
        """The next boundary; soon, while bars are missing."""
        if self._is_waiting_for_bars:
            return now + timedelta(seconds=self._interval / _LOOKS_PER_INTERVAL)
        return next_boundary(now, self._interval)
