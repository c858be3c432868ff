"""One pass of collecting: fetch what is due, store it, repair gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from app.config.settings import CollectorSettings
from app.core.exceptions import AppError, ExchangeError, UnknownSymbol
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.models import (
    Cryptocurrency,
    MarketDataGap,
    SeriesCursor,
    SimulatedTrade,
    UniverseMembership,
)
from app.services.collection.planning import SeriesTask, plan_pages
from app.services.collection.storing import FetchedPage, PageStore

log = structlog.get_logger(__name__)

# Pages fetched before they are stored together: enough to make COPY worth its
# while, few enough to lose little to a kill.
PAGES_PER_TRANSACTION = 32
_REPAIRS_PER_PASS = 32
_FIRST_REPAIR_SECONDS = 300.0
_LONGEST_REPAIR_SECONDS = 6 * 3600.0

Answer = tuple[CandleRequest, CandlePage | AppError]


class CandleSource(Protocol):
    """The part of the exchange that the collector uses."""

    async def fetch_many(self, requests: Sequence[CandleRequest]) -> list[Answer]:
        """One answer a request, in any order; an error does not lose the others."""


@dataclass
class Progress:
    """Counts of one pass, shown in the heartbeat."""

    pages: int = 0
    bars: int = 0
    revised: int = 0
    gap_slots: int = 0
    failed: int = 0
    errors: list[AppError] = field(default_factory=list)


class CollectionService:
    """Collects the bars of every admitted market of one exchange."""

    def __init__(
        self,
        exchange: str,
        source: CandleSource,
        settings: CollectorSettings,
        run_id: UUID,
    ) -> None:
        self._exchange = exchange
        self._source = source
        self._settings = settings
        self._store = PageStore(exchange, run_id, settings.tail_grace_seconds)

    def plan(self, session: Session, now: datetime) -> list[SeriesTask]:
        """Pages that are due for admitted markets and those with an open trade."""
        traded = {trade.cryptocurrency_id for trade in SimulatedTrade.get_open(session)}
        markets = [
            market
            for market, verdict in UniverseMembership.get_current(
                session, self._exchange
            )
            if (verdict.admitted or market.id in traded)
            and market.status is not MarketStatus.DELISTED
        ]
        cursors = SeriesCursor.get_for_markets(session, [m.id for m in markets])
        return plan_pages(markets, cursors, self._settings, now)

    def plan_repairs(self, session: Session, now: datetime) -> list[SeriesTask]:
        """Pages for recorded gaps whose next attempt is due; counts the attempt."""
        gaps = MarketDataGap.get_open(
            session,
            self._exchange,
            attempted_before=now - timedelta(seconds=_FIRST_REPAIR_SECONDS),
            limit=_REPAIRS_PER_PASS * 4,
        )
        due = [gap for gap in gaps if _is_repair_due(gap, now)][:_REPAIRS_PER_PASS]
        symbols = Cryptocurrency.get_by_ids(session, {g.cryptocurrency_id for g in due})
        tasks = []
        for gap in due:
            gap.attempts += 1
            gap.last_attempt_at = now
            limit = min(self._settings.page_limit, gap.slots)
            request = CandleRequest(
                symbols[gap.cryptocurrency_id].symbol,
                gap.timeframe,
                gap.starts_at,
                limit,
            )
            tasks.append(SeriesTask(gap.cryptocurrency_id, request, gap.starts_at))
        return tasks

    async def fetch(
        self, tasks: Sequence[SeriesTask], progress: Progress
    ) -> list[FetchedPage]:
        """Fetch `tasks`; a failed one is counted and left for the next pass."""
        by_request = {task.request: task for task in tasks}
        fetched = []
        for request, answer in await self._source.fetch_many(list(by_request)):
            if isinstance(answer, CandlePage):
                fetched.append(FetchedPage(by_request[request], answer))
                continue
            progress.failed += 1
            progress.errors.append(answer)
            log.warning(
                "page_failed",
                symbol=request.symbol,
                timeframe=request.timeframe.value,
                error=str(answer),
            )
        return fetched

    def save(
        self,
        session: Session,
        fetched: Sequence[FetchedPage],
        now: datetime,
        progress: Progress,
    ) -> None:
        """Store `fetched` in the caller's transaction and count it."""
        stored = self._store.store(session, fetched, now)
        progress.pages += len(fetched)
        progress.bars += stored.inserted
        progress.revised += stored.revised
        progress.gap_slots += stored.gap_slots


def raise_if_nothing_worked(progress: Progress) -> None:
    """Let the process back off when every page of a pass failed."""
    worst = [e for e in progress.errors if not isinstance(e, UnknownSymbol)]
    if worst and not progress.pages:
        retryable = [e for e in worst if isinstance(e, ExchangeError)]
        raise (retryable or worst)[0]


def lag_seconds(
    tasks: Sequence[SeriesTask], timeframe: Timeframe, now: datetime
) -> float:
    """How long ago the oldest missing bar of `timeframe` closed; 0: none missing."""
    closes = [
        timeframe.close_of(task.expected_from)
        for task in tasks
        if task.request.timeframe is timeframe
    ]
    return max(0.0, (now - min(closes)).total_seconds()) if closes else 0.0


def _is_repair_due(gap: MarketDataGap, now: datetime) -> bool:
    if gap.last_attempt_at is None:
        waited, pause = (now - gap.detected_at).total_seconds(), _FIRST_REPAIR_SECONDS
    else:
        waited = (now - gap.last_attempt_at).total_seconds()
        pause = _FIRST_REPAIR_SECONDS * 2.0 ** min(gap.attempts, 10)
    return waited >= min(pause, _LONGEST_REPAIR_SECONDS)
