"""Walks a stretch month by month: what archives have, and what they leave."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from app.exchange.archives.bar_file import TooManyRefused
from app.exchange.archives.layout import ArchiveFile, day_files, month_file
from app.exchange.archives.source import ArchiveSource
from app.exchange.rejected import RejectedItem
from app.services.backfill.loading import LoadedBars, load_archive
from app.services.backfill.stretches import Range, Stretch

log = structlog.get_logger(__name__)

# Monthly files appear within days of the month's end; until then only daily ones do.
_MONTHLY_IS_DUE = timedelta(days=40)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """Slots no archive answers for."""

    starts_at: datetime
    ends_at: datetime


@dataclass
class ArchiveWalk:
    """One series' way through an archive; counts the files it met.

    `symbol` is the unified one, `exchange_symbol` the archive's.
    """

    source: ArchiveSource | None
    symbol: str
    exchange_symbol: str
    timeframe: Timeframe
    server_now: datetime
    files_read: int = 0
    refused: list[str] = field(default_factory=list)
    _rows: list[RejectedItem] = field(default_factory=list)

    async def pieces(self, stretch: Stretch) -> AsyncIterator[LoadedBars | LeftOver]:
        """What is had and what is left, without a hole, in the stretch's order."""
        within = (stretch.starts_at, stretch.ends_at)
        months = list(
            Timeframe.MN1.opens(Timeframe.MN1.floor(within[0]), stretch.ends_at)
        )
        for month in reversed(months) if stretch.goes_back else months:
            file = month_file(self.exchange_symbol, month, self.timeframe)
            async for piece in self._month(file, within, stretch.goes_back):
                yield piece

    def take_rows(self) -> list[RejectedItem]:
        """Impossible rows of files refused as a whole, since the last time."""
        rows, self._rows = self._rows, []
        return rows

    async def _month(
        self, file: ArchiveFile, within: Range, goes_back: bool
    ) -> AsyncIterator[LoadedBars | LeftOver]:
        loaded = await self._load(file, within)
        if loaded is not None:
            yield loaded
            return
        days = day_files(file)
        if not await self._may_have_days(file, days[-1], within):
            yield _left(file, within, self.timeframe)
            return
        for day in reversed(days) if goes_back else days:
            if day.ends_at <= within[0] or day.starts_at >= within[1]:
                continue
            loaded = await self._load(day, within)
            if loaded is None:
                yield _left(day, within, self.timeframe)
            else:
                yield loaded

    async def _may_have_days(
        self, month: ArchiveFile, last: ArchiveFile, within: Range
    ) -> bool:
        """Whether asking for each day is worth it; old months have all or none."""
        if self.source is None:
            return False
        if month.ends_at + _MONTHLY_IS_DUE > self.server_now:
            return True
        try:
            return await self.source.find(last) is not None
        except BadData:
            return True

    async def _load(self, file: ArchiveFile, within: Range) -> LoadedBars | None:
        """The bars of `file`; None where there is none or it is refused."""
        if self.source is None or file.ends_at > self.server_now:
            return None
        try:
            path = await self.source.find(file)
            if path is None:
                return None
            loaded = load_archive(path, file, self.symbol, within, self.server_now)
        except BadData as error:
            self.refused.append(str(error))
            if isinstance(error, TooManyRefused):
                self._rows += error.refused
            log.warning("archive_refused", file=file.name, error=str(error))
            return None
        self.files_read += 1
        return loaded


def _left(file: ArchiveFile, within: Range, timeframe: Timeframe) -> LeftOver:
    starts_at, ends_at = max(file.starts_at, within[0]), min(file.ends_at, within[1])
    return LeftOver(timeframe.ceil(starts_at), timeframe.ceil(ends_at))
