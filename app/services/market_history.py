"""Fetches and stores a stretch of one market's history on request.

The collector keeps series up to date by itself; this is for someone who wants more
of the past, or a market that nobody collects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.market import Market
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.models import Cryptocurrency, SeriesCursor
from app.services.backfill.exchange_walk import windows
from app.services.backfill.stretches import Range
from app.services.collection.fetched import FetchedPage
from app.services.collection.planning import SeriesTask
from app.services.collection.storing import PageStore, StoredPages
from app.services.universe import copy_market


def stretch_to_store(
    session: Session,
    exchange: str,
    symbol: str,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
) -> tuple[datetime, datetime]:
    """[start, end), widened until it touches what is stored of the series.

    A series is accounted for without a hole from its first slot to its watermark;
    a stretch apart from it would leave slots that nobody knows anything about.
    """
    market = Cryptocurrency.find_by_symbol(session, exchange, symbol)
    if market is None:
        return start, end
    cursor = SeriesCursor.find(session, market.id, timeframe)
    if cursor is None:
        return start, end
    return min(start, cursor.watermark_at), max(end, cursor.history_from)


def windows_to_store(
    session: Session,
    exchange: str,
    symbol: str,
    timeframe: Timeframe,
    span: Range,
) -> list[Range]:
    """`span` (see `stretch_to_store`) in parts to be fetched and stored in turn.

    Whatever part is the last one stored, no hole is left: what is older than the
    stored history is one part, the rest is gone through forwards.
    """
    market = Cryptocurrency.find_by_symbol(session, exchange, symbol)
    cursor = SeriesCursor.find(session, market.id, timeframe) if market else None
    middle = span[0] if cursor is None else cursor.history_from
    middle = min(max(span[0], middle), span[1])
    older = [(span[0], middle)] if span[0] < middle else []
    return older + list(windows(timeframe, (middle, span[1]), goes_back=False))


def store_history(
    session: Session,
    market: Market,
    pages: Sequence[CandlePage],
    tail_grace_seconds: float,
    now: datetime,
    run_id: UUID,
) -> StoredPages:
    """Store the pages of one stretch in the caller's transaction.

    Registers the market if it is not known. Slots without a bar go to the gap ledger,
    those between the stretch and what is stored too (see `stretch_to_store`). Storing
    it again changes nothing.
    """
    row = register_market(session, market, now, run_id)
    timeframe, start = pages[0].timeframe, pages[0].since
    request = CandleRequest(market.symbol, timeframe, start, 1)
    fetched = [
        FetchedPage(SeriesTask(row.id, replace(request, since=page.since), start), page)
        for page in pages
    ]
    store = PageStore(market.exchange, run_id, tail_grace_seconds)
    return store.store(session, fetched, now)


def register_market(
    session: Session, market: Market, now: datetime, run_id: UUID
) -> Cryptocurrency:
    """The stored market; a new row where nobody has seen it yet."""
    row = Cryptocurrency.find_by_symbol(session, market.exchange, market.symbol)
    if row is None:
        row = Cryptocurrency(
            exchange=market.exchange,
            symbol=market.symbol,
            first_seen_at=now,
            run_id=run_id,
        )
        copy_market(row, market, now)
        session.add(row)
        session.flush()
    return row
