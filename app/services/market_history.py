"""Fetches and stores a stretch of one market's history on request.

The collector keeps series up to date by itself; this is for someone who wants more
of the past, or a market that nobody collects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.exceptions import CorruptReply
from app.domain.gap import GapReason
from app.domain.market import Market
from app.domain.slots import split_by_presence
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.exchange.service import ExchangeService
from app.models import Cryptocurrency, SeriesCursor
from app.models.series_lock import lock_cursors
from app.services.collection.gaps import open_gaps
from app.services.collection.planning import SeriesTask
from app.services.collection.storing import FetchedPage, PageStore, StoredPages
from app.services.universe import copy_market


async def fetch_pages(
    exchange: ExchangeService,
    symbol: str,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    page_limit: int,
    on_page: Callable[[CandlePage], None],
) -> list[CandlePage]:
    """Pages of the closed bars that open in [start, end), oldest first."""
    pages = []
    async for page in exchange.fetch_history(symbol, timeframe, start, end, page_limit):
        pages.append(page)
        on_page(page)
    return pages


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


def store_history(
    session: Session,
    market: Market,
    pages: Sequence[CandlePage],
    tail_grace_seconds: float,
    now: datetime,
    run_id: UUID,
) -> StoredPages:
    """Store the pages of one stretch in the caller's transaction.

    Registers the market if it is not known. The stretch must touch what is stored,
    see `stretch_to_store`; slots of it without a bar go to the gap ledger. Storing
    it again changes nothing.

    Raises:
        CorruptReply: the pages end before the stored history begins.
    """
    row = register_market(session, market, now, run_id)
    timeframe, start = pages[0].timeframe, pages[0].since
    # 1. One writer of the series, whose cursor stays locked until the commit.
    key = (row.id, timeframe)
    cursor = lock_cursors(session, {key: start}, run_id)[key]
    # 2. Slots older than any accounted for so far.
    if start < cursor.history_from:
        _extend_back(session, cursor, pages, now, run_id)
    # 3. The bars, and slots newer than the watermark.
    fetched = [
        FetchedPage(
            SeriesTask(
                row.id,
                CandleRequest(market.symbol, timeframe, page.since, max(1, len(page))),
                start,
            ),
            page,
        )
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


def _extend_back(
    session: Session,
    cursor: SeriesCursor,
    pages: Sequence[CandlePage],
    now: datetime,
    run_id: UUID,
) -> None:
    start, reached = pages[0].since, pages[-1].covered_until
    if reached < cursor.history_from:
        raise CorruptReply(
            f"{pages[0].symbol} {cursor.timeframe}: the history fetched ends at "
            f"{reached.isoformat()}, before the stored one begins "
            f"({cursor.history_from.isoformat()})"
        )
    opens = [candle.open_at for page in pages for candle in page.candles]
    runs = split_by_presence(cursor.timeframe, start, cursor.history_from, opens)
    missing = [run for run in runs if not run.is_filled]
    first = min(opens, default=cursor.history_from)
    for reason, part in (
        (GapReason.NOT_LISTED, [run for run in missing if run.starts_at < first]),
        (GapReason.UNKNOWN, [run for run in missing if run.starts_at >= first]),
    ):
        open_gaps(
            session,
            cursor.cryptocurrency_id,
            cursor.timeframe,
            part,
            reason,
            now,
            run_id,
        )
    cursor.history_from = start
