"""Keeps the whole replies of an exchange that were not the document asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app.core.clock import Clock
from app.core.database import Database
from app.exchange.service import ExchangeService
from app.services.quarantine.keeping import keep_replies


def keep_corrupt_replies(
    exchange: ExchangeService, database: Database, clock: Clock, run_id: UUID
) -> None:
    """Quarantine what came since the last time, in a transaction of its own."""
    replies = exchange.take_corrupt_replies()
    if not replies.items and not replies.dropped:
        return
    with database.session_scope() as session:
        keep_replies(session, exchange.exchange_id, replies, clock.now(), run_id)


@asynccontextmanager
async def opened_for_run(
    exchange: ExchangeService, database: Database, clock: Clock, run_id: UUID
) -> AsyncIterator[ExchangeService]:
    """Open `exchange` for a command; its corrupt replies are kept when it is done."""
    async with exchange:
        try:
            yield exchange
        finally:
            keep_corrupt_replies(exchange, database, clock, run_id)
