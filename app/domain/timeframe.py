"""Time frames of candles, with calendar arithmetic in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# 1970-01-05 was the first Monday of the epoch; weekly bars open on Mondays.
_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=timezone.utc)


class Timeframe(str, Enum):
    """Length of a candle; the value is the text exchanges and the database use.

    Bars are named by their open time. Weeks open on Monday 00:00 UTC and months on
    the first day of the month, so a bar's length is not always a fixed duration:
    use `next_open` and `shift`, never an addition of milliseconds.
    """

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    W1 = "1w"
    MN1 = "1M"

    def __str__(self) -> str:
        return self.value

    @property
    def is_month(self) -> bool:
        """Whether bars are calendar months, which differ in length."""
        return self is Timeframe.MN1

    @property
    def duration(self) -> timedelta:
        """Nominal length of a bar; 30 days for a month. For estimates only."""
        return _DURATIONS[self]

    def floor(self, moment: datetime) -> datetime:
        """Open time of the bar that contains `moment`."""
        moment = _require_utc(moment)
        if self.is_month:
            return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        origin = _FIRST_MONDAY if self is Timeframe.W1 else _EPOCH
        step = _DURATIONS[self]
        return origin + (moment - origin) // step * step

    def is_aligned(self, moment: datetime) -> bool:
        """Whether `moment` is the open time of a bar."""
        return self.floor(moment) == moment

    def next_open(self, open_at: datetime) -> datetime:
        """Open time of the bar after the one that contains `open_at`."""
        return self.shift(self.floor(open_at), 1)

    def close_of(self, open_at: datetime) -> datetime:
        """The instant at which the bar that opened at `open_at` is complete."""
        return self.next_open(open_at)

    def last_closed(self, now: datetime) -> datetime:
        """Open time of the newest bar that is complete at `now`."""
        return self.shift(self.floor(now), -1)

    def shift(self, open_at: datetime, bars: int) -> datetime:
        """Open time `bars` bars after (before, if negative) an aligned open time."""
        if not self.is_aligned(open_at):
            raise ValueError(f"{open_at.isoformat()} is not on the {self} grid")
        if self.is_month:
            months = open_at.year * 12 + open_at.month - 1 + bars
            return open_at.replace(year=months // 12, month=months % 12 + 1)
        return open_at + bars * _DURATIONS[self]

    def count_bars(self, start: datetime, end: datetime) -> int:
        """Number of bars whose open time lies in [start, end)."""
        if end <= start:
            return 0
        first, stop = self.ceil(start), self.ceil(end)
        if self.is_month:
            return (stop.year - first.year) * 12 + stop.month - first.month
        return (stop - first) // _DURATIONS[self]

    def ceil(self, moment: datetime) -> datetime:
        """Open time of the first bar that opens at or after `moment`."""
        floor = self.floor(moment)
        return floor if floor == moment else self.shift(floor, 1)

    def opens(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Open times of the bars in [start, end), ascending."""
        open_at = self.ceil(start)
        while open_at < end:
            yield open_at
            open_at = self.shift(open_at, 1)


_DURATIONS: dict[Timeframe, timedelta] = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M3: timedelta(minutes=3),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.M30: timedelta(minutes=30),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H2: timedelta(hours=2),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.H6: timedelta(hours=6),
    Timeframe.H8: timedelta(hours=8),
    Timeframe.H12: timedelta(hours=12),
    Timeframe.D1: timedelta(days=1),
    Timeframe.W1: timedelta(weeks=1),
    Timeframe.MN1: timedelta(days=30),
}


def _require_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; use aware UTC times")
    return moment.astimezone(timezone.utc)
