"""One pass over one series: what archives have, then what the exchange has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.timeframe import Timeframe
from app.exchange.rejected import RejectedItem
from app.models.series_lock import SeriesKey
from app.services.backfill.archive_walk import ArchiveWalk, LeftOver
from app.services.backfill.exchange_walk import ExchangeWalk, windows
from app.services.backfill.loading import LoadedBars, slots_of
from app.services.backfill.report import SeriesReport
from app.services.backfill.slicing import (
    slices_of_answers,
    slices_of_files,
    without_unlisted,
)
from app.services.backfill.storing import SliceStore
from app.services.backfill.stretches import Range, Stretch
from app.services.collection.slices import SeriesSlice

# Enough to make COPY worth its while; memory and what a kill loses stay small.
BARS_PER_TRANSACTION = 100_000


@dataclass(frozen=True, slots=True)
class SeriesJob:
    """One series to fill over [since, until); `symbol` is the unified one."""

    cryptocurrency_id: int
    symbol: str
    exchange_symbol: str
    timeframe: Timeframe
    since: datetime
    until: datetime
    is_recheck: bool = False

    @property
    def key(self) -> SeriesKey:
        """The series: market and time frame."""
        return (self.cryptocurrency_id, self.timeframe)


@dataclass
class SeriesRun:
    """Goes through stretches of `job` in an order that leaves no hole behind.

    Without an `exchange` the slots that archives lack stay as they are. `on_slots`
    hears how many slots were gone through.
    """

    job: SeriesJob
    store: SliceStore
    archives: ArchiveWalk
    exchange: ExchangeWalk | None
    report: SeriesReport
    server_now: datetime
    tail_grace_seconds: float
    on_slots: Callable[[int], None]
    _loaded: list[LoadedBars] = field(default_factory=list)
    _left: Range | None = None

    async def fill(self, stretch: Stretch) -> None:
        """Fill one stretch; raises what the exchange or the database raised."""
        async for piece in self.archives.pieces(stretch):
            if isinstance(piece, LeftOver):
                await self._store_loaded(stretch)
                self._leave(piece)
                continue
            await self._ask_exchange(stretch)
            self._loaded.append(piece)
            timeframe = self.job.timeframe
            if slots_of(timeframe, self._loaded) >= BARS_PER_TRANSACTION:
                await self._store_loaded(stretch)
        await self._store_loaded(stretch)
        await self._ask_exchange(stretch)
        if rows := self.archives.take_rows():
            await self.store.store([], rows, self.report)

    def _leave(self, piece: LeftOver) -> None:
        """Join `piece` with those left just before it, on whichever side they are."""
        before = self._left or (piece.starts_at, piece.ends_at)
        self._left = (
            min(before[0], piece.starts_at),
            max(before[1], piece.ends_at),
        )

    async def _store_loaded(self, stretch: Stretch) -> None:
        if not self._loaded:
            return
        parts = self._loaded[::-1] if stretch.goes_back else self._loaded
        self._loaded = []
        slices = slices_of_files(self.job.key, parts, self.server_now)
        items = [item for part in parts for item in part.refused]
        await self._save(stretch, slices, items)
        self._tell(parts[0].starts_at, parts[-1].ends_at)

    async def _ask_exchange(self, stretch: Stretch) -> None:
        left, self._left = self._left, None
        if left is None:
            return
        if self.exchange is not None:
            for needed in stretch.needed:
                span = max(left[0], needed[0]), min(left[1], needed[1])
                if span[0] < span[1]:
                    await self._fetch(stretch, span, self.exchange)
        self._tell(*left)

    async def _fetch(
        self, stretch: Stretch, span: Range, exchange: ExchangeWalk
    ) -> None:
        if stretch.is_start:
            span = (await exchange.find_beginning(span), span[1])
        timeframe = self.job.timeframe
        for window in windows(timeframe, span, stretch.goes_back):
            answers = await exchange.fetch(window)
            self.report.pages_fetched += len(answers)
            slices = slices_of_answers(self.job.key, answers, self.tail_grace_seconds)
            items = [item for answer in answers for item in answer.page.rejected]
            await self._save(stretch, slices, items)

    async def _save(
        self, stretch: Stretch, slices: list[SeriesSlice], items: list[RejectedItem]
    ) -> None:
        # Going forward, only what precedes the very first bar is no gap.
        if stretch.is_start and (stretch.goes_back or not self.report.transactions):
            slices = without_unlisted(slices)
        if slices or items:
            await self.store.store(slices, items, self.report)

    def _tell(self, starts_at: datetime, ends_at: datetime) -> None:
        self.on_slots(self.job.timeframe.count_bars(starts_at, ends_at))
