"""Slots that no archive has, asked of the exchange."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.core.exceptions import AppError
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage, CandleRequest
from app.services.backfill.stretches import Range

# Slots fetched before they are stored together: little is lost to a kill.
WINDOW_SLOTS = 50_000


class HistorySource(Protocol):
    """The part of the exchange that a back-fill uses."""

    async def fetch_many(
        self, requests: Sequence[CandleRequest]
    ) -> list[tuple[CandleRequest, CandlePage | AppError]]:
        """One answer a request, in their order."""

    def fetch_history(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        page_limit: int = 1000,
    ) -> AsyncGenerator[CandlePage, None]:
        """Pages of the closed bars that open in [start, end), oldest first."""


def windows(timeframe: Timeframe, span: Range, goes_back: bool) -> Iterator[Range]:
    """`span` in windows of at most `WINDOW_SLOTS`, in the order of the walk."""
    count = timeframe.count_bars(*span)
    starts = list(range(0, count, WINDOW_SLOTS))
    for first in reversed(starts) if goes_back else starts:
        start = timeframe.shift(span[0], first)
        last = min(first + WINDOW_SLOTS, count)
        yield start, timeframe.shift(span[0], last)


@dataclass(frozen=True, slots=True)
class Answer:
    """A page cut to what was needed; `holds_bars`: before that it had some.

    A page whose bars all lie later shows that there are none here; `[]` shows nothing.
    """

    page: CandlePage
    holds_bars: bool


@dataclass(frozen=True, slots=True)
class ExchangeWalk:
    """One series at the exchange."""

    source: HistorySource
    symbol: str
    timeframe: Timeframe
    page_limit: int

    async def fetch(self, window: Range) -> list[Answer]:
        """Answers that follow each other and together answer for `window`.

        Raises the first page's error; the exchange retries by itself.
        """
        # 1. Evenly cut, so that pages are fetched side by side.
        answers: list[Answer] = []
        requests = list(self._requests(window))
        for request, answer in await self.source.fetch_many(requests):
            if isinstance(answer, AppError):
                raise answer
            end = self.timeframe.shift(request.since, request.limit)
            page = answer.before(min(end, window[1]))
            answers.append(Answer(page, len(answer) > 0))
            # 2. A page may end early, being short or cut: walk on from there.
            reached = page.covered_until
            if request.since < reached < min(end, window[1]) and len(page):
                answers += await self._rest(reached, min(end, window[1]))
        return answers

    async def find_beginning(self, span: Range) -> datetime:
        """Where in `span` the exchange's history begins, as far as weeks tell."""
        if self.timeframe.count_bars(*span) <= self.page_limit:
            return span[0]
        week = Timeframe.W1
        asked = CandleRequest(self.symbol, week, week.floor(span[0]), self.page_limit)
        ((_, answer),) = await self.source.fetch_many([asked])
        if isinstance(answer, AppError) or not len(answer):
            return span[0]
        first = week.shift(answer.candles[0].open_at, -1)
        return min(max(span[0], self.timeframe.ceil(first)), span[1])

    def _requests(self, window: Range) -> Iterator[CandleRequest]:
        start, count = window[0], self.timeframe.count_bars(*window)
        for first in range(0, count, self.page_limit):
            yield CandleRequest(
                self.symbol,
                self.timeframe,
                self.timeframe.shift(start, first),
                min(self.page_limit, count - first),
            )

    async def _rest(self, start: datetime, end: datetime) -> list[Answer]:
        return [
            Answer(page, len(page) > 0)
            async for page in self.source.fetch_history(
                self.symbol, self.timeframe, start, end, self.page_limit
            )
        ]
