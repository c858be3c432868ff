"""One pass of collecting: fetch what is due, store it, repair gaps, look again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from app.config.settings import CollectorSettings
from app.core.exceptions import AppError, BadData, RetryableError
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.models import (
    Cryptocurrency,
    SeriesCursor,
    SimulatedTrade,
    UniverseMembership,
)
from app.models.series_lock import SeriesKey
from app.services.collection import repairs
from app.services.collection.fetched import FetchedPage
from app.services.collection.lateness import note_downtime, note_failures
from app.services.collection.planning import SeriesTask, plan_pages
from app.services.collection.rechecks import RecheckTries, plan_rechecks
from app.services.collection.storing import PageStore
from app.services.cross_checks.findings import keep_findings
from app.services.cross_checks.incremental import DueCheck, IncrementalChecks
from app.services.cross_checks.vanished import Answer, find_vanished

log = structlog.get_logger(__name__)

# Pages fetched before they are stored together: enough to make COPY worth its
# while, few enough to lose little to a kill.
PAGES_PER_TRANSACTION = 32

FetchAnswer = tuple[CandleRequest, CandlePage | AppError]


class CandleSource(Protocol):
    """The part of the exchange that the collector uses."""

    async def fetch_many(self, requests: Sequence[CandleRequest]) -> list[FetchAnswer]:
        """One answer a request, in any order; an error does not lose the others."""


@dataclass
class Progress:
    """Counts of one pass, shown in the heartbeat; `failed` holds the errors."""

    pages: int = 0
    bars: int = 0
    revised: int = 0
    gap_slots: int = 0
    failed: dict[SeriesKey, AppError] = field(default_factory=dict)

    @property
    def errors(self) -> list[AppError]:
        """What kept pages from being had."""
        return list(self.failed.values())


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
        self._run_id = run_id
        self._tries = RecheckTries()
        self._checks = IncrementalChecks(exchange, run_id)
        self._store = PageStore(
            exchange,
            run_id,
            settings.tail_grace_seconds,
            settings.recheck_delays_seconds,
        )

    def plan(self, session: Session, now: datetime) -> list[SeriesTask]:
        """Pages that are due for admitted markets and those with an open trade."""
        markets = self._markets(session)
        cursors = SeriesCursor.get_for_markets(session, [m.id for m in markets])
        return plan_pages(markets, cursors, self._settings, now)

    def plan_repairs(self, session: Session, now: datetime) -> list[SeriesTask]:
        """Pages for recorded gaps whose next attempt is due; counts the attempt."""
        return repairs.plan_repairs(
            session, self._exchange, self._settings.page_limit, now
        )

    def plan_rechecks(self, session: Session, now: datetime) -> list[SeriesTask]:
        """Pages of stored bars that are due to be read again."""
        markets = self._markets(session)
        cursors = SeriesCursor.get_for_markets(session, [m.id for m in markets])
        return plan_rechecks(markets, cursors, self._settings, now, self._tries)

    def note_downtime(self, session: Session, now: datetime) -> None:
        """Record which series fell behind while nobody collected."""
        behind = note_downtime(
            session,
            [market.id for market in self._markets(session)],
            self._settings.timeframes,
            now,
            self._settings.tail_grace_seconds,
        )
        if behind:
            log.info("collection_was_down", series_behind=behind)

    def note_failures(
        self, session: Session, progress: Progress, now: datetime
    ) -> None:
        """Record why series are late whose page could not be had."""
        note_failures(session, progress.failed, now, self._settings.tail_grace_seconds)

    async def fetch(
        self, tasks: Sequence[SeriesTask], progress: Progress
    ) -> list[FetchedPage]:
        """Fetch `tasks`; a failed one is counted and left for the next pass."""
        by_request = {task.request: task for task in tasks}
        fetched = []
        for request, answer in await self._source.fetch_many(list(by_request)):
            task = by_request[request]
            if isinstance(answer, CandlePage):
                fetched.append(FetchedPage(task, answer))
                continue
            progress.failed[task.key] = answer
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

    def check_answers(
        self, session: Session, fetched: Sequence[FetchedPage], now: datetime
    ) -> int:
        """Flag stored bars that pages read again do not hold any more."""
        answers = [
            Answer(
                page.task.cryptocurrency_id,
                page.task.request.timeframe,
                page.page.open_ms * 1000,
                [item.occurred_at for item in page.page.rejected if item.occurred_at],
            )
            for page in fetched
        ]
        found = find_vanished(session, answers, now, self._run_id)
        return keep_findings(session, found)

    def check_next(self, session: Session, now: datetime) -> DueCheck | None:
        """Compare the next stretch of bars with itself and its parts, if one is due.

        Tell `checked` once the transaction is committed.
        """
        due = self._checks.due(session)
        if not due:
            return None
        self._checks.run(session, due[0], now)
        return due[0]

    def checked(self, due: DueCheck) -> None:
        """The transaction of `check_next` was committed."""
        self._checks.done(due)

    def _markets(self, session: Session) -> list[Cryptocurrency]:
        traded = {trade.cryptocurrency_id for trade in SimulatedTrade.get_open(session)}
        return [
            market
            for market, verdict in UniverseMembership.get_current(
                session, self._exchange
            )
            if (verdict.admitted or market.id in traded)
            and market.status is not MarketStatus.DELISTED
        ]


def raise_if_nothing_worked(progress: Progress) -> None:
    """Let the process back off, or end, when every page of a pass failed.

    What is wrong with one market alone must not stop the others: when they are up to
    date, its page is the only one of a pass.
    """
    if progress.pages:
        return
    retryable = [e for e in progress.errors if isinstance(e, RetryableError)]
    if retryable:
        raise retryable[0]
    refused = {
        key[0]: error
        for key, error in progress.failed.items()
        if not isinstance(error, BadData)
    }
    if len(refused) > 1:
        raise next(iter(refused.values()))


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
