"""Walking a stretch of candle history page by page, by time and not by row count."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest


async def walk_history(
    fetch_page: Callable[[CandleRequest], Awaitable[CandlePage]],
    symbol: str,
    timeframe: Timeframe,
    start: datetime,
    end: datetime,
    page_limit: int,
) -> AsyncGenerator[CandlePage, None]:
    """Yield the pages of [start, end), oldest first, up to the last closed bar.

    A page ends where its last bar ends, however few bars it has; after an empty one
    the walk goes on `page_limit` slots further. So a short, overlapping or empty page
    neither ends it early nor makes it go round, and it always ends: each page begins
    later than the one before.
    """
    cursor = timeframe.ceil(start)
    while cursor < end:
        page = await fetch_page(CandleRequest(symbol, timeframe, cursor, page_limit))
        page = page.before(end)
        yield page
        # An empty page right after the last closed bar covers nothing: the end.
        if page.covered_until <= cursor:
            return
        cursor = page.covered_until
