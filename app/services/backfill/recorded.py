"""Stores a recorded file of one series: time order, bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.exceptions import BadData
from app.core.market_identity import REPLAY
from app.exchange.archives.bar_file import (
    BarChunk,
    BarFile,
    TooManyRefused,
    read_bars,
)
from app.exchange.rejected import RejectedItem
from app.models.bars import BAR_DTYPE, from_microseconds, to_microseconds
from app.services.backfill.loading import LoadedBars
from app.services.backfill.report import SeriesReport
from app.services.backfill.series_run import BARS_PER_TRANSACTION, SeriesJob
from app.services.backfill.slicing import slices_of_files
from app.services.backfill.storing import SliceStore
from app.services.collection.answers import bars_of


@dataclass
class RecordedRun:
    """Stores `path` within the job's bounds.

    Slots without a bar between two bars are gaps; of those the file is no evidence,
    as nobody promises that a recording is whole.
    """

    job: SeriesJob
    path: Path
    store: SliceStore
    report: SeriesReport
    server_now: datetime
    on_slots: Callable[[int], None]
    _bars: list[NDArray[np.void]] = field(default_factory=list)
    _refused: list[RejectedItem] = field(default_factory=list)
    _reached: datetime | None = None

    async def fill(self) -> None:
        """Store the whole file; raises BadData where it is refused, nothing stored.

        It is read twice, as it may be larger than memory: once to be judged. Impossible
        rows are kept in quarantine also of a file with too many of them.
        """
        try:
            self._judge()
            await self._read()
        except TooManyRefused as error:
            await self.store.store([], error.refused, self.report)
            raise
        self.report.files_read += 1

    def _judge(self) -> None:
        if not sum(1 for _ in self._chunks()):
            raise BadData(f"{self.path.name} is empty: not even a header is in it")

    def _chunks(self) -> Iterator[BarChunk]:
        is_replay = self.store.exchange == REPLAY
        clock = "the replay market's clock" if is_replay else "this machine's clock"
        source = BarFile(self.path, self.job.symbol, self.job.timeframe, clock=clock)
        return read_bars(source, self.server_now)

    async def _read(self) -> None:
        bounds = [to_microseconds(self.job.since), to_microseconds(self.job.until)]
        for chunk in self._chunks():
            bars = bars_of([chunk])
            first, last = np.searchsorted(bars["open_at"], bounds)
            self._bars.append(bars[first:last])
            self._refused += chunk.refused
            if sum(map(len, self._bars)) >= BARS_PER_TRANSACTION:
                await self._flush()
        await self._flush()

    async def _flush(self) -> None:
        bars = np.concatenate([np.empty(0, BAR_DTYPE), *self._bars])
        items = tuple(self._refused)
        self._bars, self._refused = [], []
        if not len(bars):
            if items:
                await self.store.store([], items, self.report)
            return
        timeframe = self.job.timeframe
        first = from_microseconds(int(bars["open_at"][0]))
        end = timeframe.next_open(from_microseconds(int(bars["open_at"][-1])))
        loaded = LoadedBars(bars, self._reached or first, end, items)
        parts = slices_of_files(self.job.key, [loaded], self.server_now, is_whole=False)
        await self.store.store(parts, items, self.report)
        self.on_slots(timeframe.count_bars(loaded.starts_at, end))
        self._reached = end
