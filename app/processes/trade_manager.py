"""Steps open simulated trades through every candle."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from app.config.settings import SimulationSettings
from app.core.clock import Clock
from app.core.database import Database
from app.domain.process import ProcessName
from app.processes.base import BaseProcess
from app.processes.heartbeat import Heartbeat
from app.services.trade_management import TradeManagementService


class TradeManager(BaseProcess):
    """Applies stops, targets and trailing; writes exits and metrics."""

    name: ClassVar[ProcessName] = ProcessName.TRADE_MANAGER

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        service: TradeManagementService,
        settings: SimulationSettings,
        watchdog_seconds: float = 300.0,
    ) -> None:
        super().__init__(clock, database, heartbeat, watchdog_seconds)
        self._service = service
        self._settings = settings

    def tick(self, now: datetime) -> None:
        """Step every open trade through the candles it has not seen."""
        with self.database.session_scope() as session:
            result = self._service.step_open_trades(session, now)
        if result.stepped_through is not None:
            lag = (now - result.stepped_through).total_seconds()
            self.vitals.lag_seconds = max(0.0, lag)
        self.vitals.detail.update(open=result.open_trades)

    def next_tick_at(self, now: datetime) -> datetime:
        """The next candle, or a poll interval."""
        close = self._settings.step_timeframe.next_open(now)
        return min(close, now + timedelta(seconds=self._settings.poll_seconds))
