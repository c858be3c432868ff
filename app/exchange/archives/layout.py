"""Where Binance's public archive keeps a file.

Source: the README of github.com/binance/binance-public-data. Monthly and daily files
of klines, trades and aggregated trades, each a zip of one CSV, beside each a CHECKSUM
file. Months of bars are called `1mo` there, as file systems may not tell M from m.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe

PUBLIC_ARCHIVE = "https://data.binance.vision"

# A symbol becomes part of a path: no separators, no dots.
_SYMBOL = re.compile(r"[\w-]{1,60}")


class ArchiveKind(str, Enum):
    """What a file holds; the value is its folder's name."""

    KLINES = "klines"
    TRADES = "trades"
    AGG_TRADES = "aggTrades"


class ArchivePeriod(str, Enum):
    """How much time a file covers; the value is its folder's name."""

    MONTHLY = "monthly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file: `symbol` is the exchange's own (BTCUSDT), `starts_at` a UTC midnight.

    `timeframe` is set for klines only.
    """

    kind: ArchiveKind
    period: ArchivePeriod
    symbol: str
    starts_at: datetime
    timeframe: Timeframe | None = None

    def __post_init__(self) -> None:
        if not _SYMBOL.fullmatch(self.symbol):
            raise BadData(
                f"{self.symbol!r:.80} cannot be a market's name in an archive"
            )
        if (self.timeframe is None) == (self.kind is ArchiveKind.KLINES):
            raise ValueError(f"{self.kind.value} and time frame {self.timeframe}")

    @property
    def ends_at(self) -> datetime:
        """End of the period the file covers (exclusive)."""
        if self.period is ArchivePeriod.MONTHLY:
            return Timeframe.MN1.next_open(self.starts_at)
        return self.starts_at + timedelta(days=1)

    @property
    def name(self) -> str:
        """File name, for example `BTCUSDT-1h-2020-01.zip`."""
        pattern = "%Y-%m" if self.period is ArchivePeriod.MONTHLY else "%Y-%m-%d"
        what = self._interval or self.kind.value
        return f"{self.symbol}-{what}-{self.starts_at.strftime(pattern)}.zip"

    @property
    def path(self) -> str:
        """Path below the archive's root, with forward slashes."""
        folders = ["data/spot", self.period.value, self.kind.value, self.symbol]
        if self._interval:
            folders.append(self._interval)
        return "/".join([*folders, self.name])

    @property
    def _interval(self) -> str:
        if self.timeframe is None:
            return ""
        return "1mo" if self.timeframe.is_month else self.timeframe.value


def month_file(
    symbol: str,
    moment: datetime,
    timeframe: Timeframe | None,
    kind: ArchiveKind = ArchiveKind.KLINES,
) -> ArchiveFile:
    """The file of the month that contains `moment`."""
    month = Timeframe.MN1.floor(moment)
    return ArchiveFile(kind, ArchivePeriod.MONTHLY, symbol, month, timeframe)


def day_files(month: ArchiveFile) -> list[ArchiveFile]:
    """The daily files that together cover the month of `month`."""
    return [
        ArchiveFile(month.kind, ArchivePeriod.DAILY, month.symbol, day, month.timeframe)
        for day in Timeframe.D1.opens(month.starts_at, month.ends_at)
    ]
