"""Open times of an answer's bars, as columns: which slots they fill, which not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from app.domain.slots import SlotRun
from app.domain.timeframe import Timeframe
from app.models.bars import from_microseconds, to_microseconds


@dataclass(frozen=True, slots=True, eq=False)
class OpenTimes:
    """Open times in microseconds since 1970-01-01 UTC: ascending, on the grid.

    Answers about a hundred thousand bars take a millisecond; as datetimes they would
    take seconds.
    """

    microseconds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.microseconds)

    @property
    def first(self) -> datetime:
        """The oldest; there must be one."""
        return from_microseconds(int(self.microseconds[0]))

    @property
    def last(self) -> datetime:
        """The newest; there must be one."""
        return from_microseconds(int(self.microseconds[-1]))

    def between(self, starts_at: datetime, ends_at: datetime) -> list[datetime]:
        """Those in [starts_at, ends_at)."""
        inside = self._inside(starts_at, ends_at).tolist()
        return [from_microseconds(at) for at in inside]

    def missing_between(
        self, timeframe: Timeframe, starts_at: datetime, ends_at: datetime
    ) -> list[SlotRun]:
        """Maximal runs of [starts_at, ends_at) without a bar, oldest first."""
        inside = self._inside(starts_at, ends_at)
        starts, ends = to_microseconds(starts_at), to_microseconds(ends_at)
        begins = np.concatenate(([starts], _next_opens(timeframe, inside)))
        stops = np.concatenate((inside, [ends]))
        return [
            SlotRun(
                from_microseconds(int(begins[at])),
                from_microseconds(int(stops[at])),
                False,
            )
            for at in np.flatnonzero(stops > begins).tolist()
        ]

    def _inside(self, starts_at: datetime, ends_at: datetime) -> NDArray[np.int64]:
        bounds = [to_microseconds(starts_at), to_microseconds(ends_at)]
        first, last = np.searchsorted(self.microseconds, bounds).tolist()
        return self.microseconds[first:last]


def _next_opens(timeframe: Timeframe, opens: NDArray[np.int64]) -> NDArray[np.int64]:
    if timeframe.is_month:
        months = opens.astype("datetime64[us]").astype("datetime64[M]") + 1
        return months.astype("datetime64[us]").astype(np.int64)
    return opens + round(timeframe.duration.total_seconds() * 1e6)
