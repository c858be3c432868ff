"""Judges every market of the exchange and keeps the history of the verdicts."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import structlog

from app.config.settings import FilterSettings
from app.core.clock import Clock
from app.core.database import Database
from app.core.exceptions import UnknownSymbol
from app.domain.process import ProcessName
from app.exchange.service import ExchangeService
from app.processes.base import next_boundary
from app.processes.exchange_process import ExchangeProcess
from app.processes.heartbeat import Heartbeat
from app.services.shrink_refusals import Shrink
from app.services.universe import refresh_universe
from app.trading.market_filter import MarketFilter

log = structlog.get_logger(__name__)


class MarketFilterProcess(ExchangeProcess):
    """Refreshes the universe on a fixed interval."""

    name: ClassVar[ProcessName] = ProcessName.MARKET_FILTER

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        exchange: ExchangeService,
        settings: FilterSettings,
        run_id: UUID,
        watchdog_seconds: float = 300.0,
    ) -> None:
        super().__init__(clock, database, heartbeat, exchange, watchdog_seconds)
        self._settings = settings
        self._filter = MarketFilter(settings)
        self._run_id = run_id
        self._told: set[str] = set()

    def tick(self, now: datetime) -> None:
        """Read markets and tickers, judge each, store what changed."""
        self.bridge.run(self.exchange.fetch_markets(force=True))
        # What the exchange says, even where it is hard to believe: that is judged by
        # the stored universe, which outlives this process.
        markets = self.exchange.listed_markets
        batch = self.bridge.run(self.exchange.fetch_tickers())
        known_at = self.clock.now()
        with self.database.session_scope() as session:
            change = refresh_universe(
                session,
                self.exchange.exchange_id,
                markets,
                batch,
                self._filter,
                known_at,
                self._run_id,
                self.exchange.rejected_markets,
            )
        if change.refused is not None:
            self._refuse(change.refused)
            return
        self.exchange.believe_market_list()
        self.vitals.detail.update(admitted=change.admitted, rejected=change.rejected)
        self._tell_unlisted()
        if not change.admitted:
            log.warning("no_market_admitted", rejected=change.rejected)
        if change.listed or change.delisted or change.changed:
            log.info(
                "universe_changed",
                listed=change.listed,
                delisted=change.delisted,
                admitted=change.admitted,
                rejected=change.rejected,
                verdicts_changed=change.changed,
            )

    def _tell_unlisted(self) -> None:
        """Say once of each configured symbol that the exchange does not list it."""
        for key in ("symbols", "exclude_symbols"):
            for symbol in getattr(self._settings, key):
                if symbol in self._told:
                    continue
                try:
                    self.bridge.run(self.exchange.fetch_market(symbol))
                except UnknownSymbol as error:
                    self._told.add(symbol)
                    self.vitals.errors += 1
                    self.vitals.last_error = f"filter.{key}: {error}"
                    self.vitals.detail.update(unlisted=len(self._told))
                    log.warning(
                        "symbol_not_listed", key=f"filter.{key}", error=str(error)
                    )

    def _refuse(self, shrink: Shrink) -> None:
        self.vitals.errors += 1
        self.vitals.last_error = str(shrink)
        if shrink.is_new:
            log.error(
                "universe_shrink_refused",
                exchange=shrink.exchange,
                trading=shrink.trading,
                lost=len(shrink.lost),
                confirm_with="crypto-bot universe accept",
            )

    def next_tick_at(self, now: datetime) -> datetime:
        """The next multiple of the interval."""
        return next_boundary(now, self._settings.interval_seconds)
