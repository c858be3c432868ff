"""An exchange's history of one market, played from memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

from app.core.exceptions import AppError, ExchangeUnavailable
from app.domain.timeframe import Timeframe
from app.exchange.candles import build_page
from app.exchange.history import walk_history
from app.exchange.replies import CandlePage, CandleRequest

CELLS = ("10.5", "12.25", "9.75", "11.0", "3.5")


class PlayedHistory:
    """Bars from `listed_at` on but those `missing`, as a venue serves them.

    A request is answered with the first bars from its start on, `most` at most, as
    Binance does; `asked` holds the requests. From request number `fails_at` on every
    one fails. Slots in `silent` are answered by `[]`; bars of those in `garbled` come
    with a time that nobody can read.
    """

    def __init__(
        self, listed_at: datetime, now: datetime, missing: Sequence[datetime] = ()
    ) -> None:
        self.listed_at, self.now, self.missing = listed_at, now, set(missing)
        self.most = 1000
        self.fails_at: int | None = None
        self.silent: set[datetime] = set()
        self.garbled: set[datetime] = set()
        self.asked: list[CandleRequest] = []

    async def fetch_many(
        self, requests: Sequence[CandleRequest]
    ) -> list[tuple[CandleRequest, CandlePage | AppError]]:
        return [(request, self._answer(request)) for request in requests]

    def fetch_history(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime,
        end: datetime,
        page_limit: int = 1000,
    ) -> AsyncGenerator[CandlePage, None]:
        return walk_history(self._page, symbol, timeframe, start, end, page_limit)

    async def _page(self, request: CandleRequest) -> CandlePage:
        answer = self._answer(request)
        if isinstance(answer, AppError):
            raise answer
        return answer

    def _answer(self, request: CandleRequest) -> CandlePage | AppError:
        self.asked.append(request)
        if self.fails_at is not None and len(self.asked) > self.fails_at:
            return ExchangeUnavailable("the exchange is down")
        timeframe, rows = request.timeframe, list[Any]()
        open_at = timeframe.ceil(max(request.since, self.listed_at))
        if request.since in self.silent:
            return build_page(request, [], self.now)
        while len(rows) < min(request.limit, self.most) and open_at < self.now:
            if open_at not in self.missing:
                ms: float | None = round(open_at.timestamp() * 1000)
                if open_at in self.garbled:
                    ms = None
                rows.append([ms, *(float(cell) for cell in CELLS)])
            open_at = timeframe.next_open(open_at)
        return build_page(request, rows, self.now)
