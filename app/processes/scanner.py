"""Judges every admitted market at each bar close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from app.core.clock import Clock
from app.core.database import Database
from app.domain.process import ProcessName
from app.processes.base import BaseProcess
from app.processes.heartbeat import Heartbeat
from app.services.scanning import OpportunityScanner

# How often bars and trades that a close waits for are looked for, in bar lengths.
_LOOKS_PER_BAR = 30


class Scanner(BaseProcess):
    """Walks each strategy from its cursor to the newest close, one close at a time."""

    name: ClassVar[ProcessName] = ProcessName.SCANNER

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        scanners: Sequence[OpportunityScanner],
        watchdog_seconds: float = 300.0,
    ) -> None:
        super().__init__(clock, database, heartbeat, watchdog_seconds)
        self._scanners = tuple(scanners)
        self._is_waiting = False

    def tick(self, now: datetime) -> None:
        """Judge every close that is ready; each commits by itself."""
        self._is_waiting = False
        self.vitals.lag_seconds = 0.0
        for scanner in self._scanners:
            while True:
                with self.database.session_scope() as session:
                    result = scanner.scan_next(session, self.clock.now())
                if result.judged_at is None:
                    self._is_waiting |= result.is_waiting
                    break
                lag = (self.clock.now() - result.judged_at).total_seconds()
                self.vitals.lag_seconds = lag
                self.progress(signals=result.signals, refusals=result.refusals)

    def next_tick_at(self, now: datetime) -> datetime:
        """The next close of the shortest strategy; soon, while a close is waiting."""
        if not self._scanners:
            return now + timedelta(minutes=1)
        frames = [scanner.strategy.timeframe for scanner in self._scanners]
        shortest = min(frames, key=lambda frame: frame.duration)
        if self._is_waiting:
            return now + shortest.duration / _LOOKS_PER_BAR
        return shortest.next_open(now)
