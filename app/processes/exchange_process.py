"""A process that talks to the exchange."""

from __future__ import annotations

from app.core.clock import Clock
from app.core.database import Database
from app.exchange.service import ExchangeService
from app.processes.base import BaseProcess
from app.processes.heartbeat import Heartbeat
from app.services.quarantine.replies import keep_corrupt_replies


class ExchangeProcess(BaseProcess):
    """Opens the exchange's connections before the first pass, closes them after."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        exchange: ExchangeService,
        watchdog_seconds: float = 300.0,
    ) -> None:
        super().__init__(clock, database, heartbeat, watchdog_seconds)
        self.exchange = exchange
        self._is_open = False

    def after_pass(self) -> None:
        """Quarantine the replies that were not what was asked for."""
        keep_corrupt_replies(self.exchange, self.database, self.clock, self.run_id)

    async def open(self) -> None:
        """Open the exchange's connections."""
        await self.exchange.__aenter__()
        self._is_open = True

    async def close(self) -> None:
        """Close the exchange's connections."""
        if self._is_open:
            await self.exchange.__aexit__(None, None, None)
            self._is_open = False
