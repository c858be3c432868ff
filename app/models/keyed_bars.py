"""Bars of many series of one time frame as sorted columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.models.bars import BAR_DTYPE, VALUES, BarsOfSeries, from_microseconds

_RAW = np.dtype(f"V{BAR_DTYPE.itemsize}")


@dataclass(frozen=True, slots=True)
class KeyedBars:
    """Bars sorted by market key and open time, each slot once.

    `ids` is int32 of shape (bars,), `opens` int64 of shape (bars,) in microseconds
    since 1970-01-01 UTC, `values` float64 of shape (5, bars): open, high, low, close,
    volume.
    """

    ids: NDArray[np.int32]
    opens: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def sorted(
        cls,
        ids: NDArray[np.int32],
        opens: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> Self:
        """Sort columns that stand in any order; of equal slots the last one wins."""
        if not _ascends(ids, opens):
            order = np.lexsort((opens, ids))  # stable, so the last given stays last
            ids, opens = ids[order], opens[order]
            last = np.ones(len(ids), dtype=bool)
            last[:-1] = (ids[1:] != ids[:-1]) | (opens[1:] != opens[:-1])
            ids, opens, values = ids[last], opens[last], np.take(values, order[last], 1)
        return cls(ids, opens, values)

    @classmethod
    def from_series(cls, batches: Sequence[BarsOfSeries]) -> Self:
        """The bars of `batches`, which share a time frame; the last of equals wins."""
        sizes = [len(batch.bars) for batch in batches]
        ids = np.repeat(
            np.array([batch.cryptocurrency_id for batch in batches], np.int32), sizes
        )
        # As raw bytes: joining structured arrays compares their fields one by one.
        raw = np.concatenate([batch.bars.view(_RAW) for batch in batches])
        bars = raw.view(BAR_DTYPE)
        opens = np.ascontiguousarray(bars["open_at"], np.int64)
        values = np.empty((len(VALUES), len(bars)))
        for column, name in zip(values, VALUES, strict=True):
            column[:] = bars[name]
        values += 0.0  # -0.0 becomes 0.0, which PostgreSQL takes for the same
        return cls.sorted(ids, opens, values)

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, mask: NDArray[np.bool_]) -> KeyedBars:
        """The bars for which `mask`, of shape (bars,), is true."""
        if mask.all():
            return self
        values = np.compress(mask, self.values, 1)  # stays contiguous, unlike [:, mask]
        return KeyedBars(self.ids[mask], self.opens[mask], values)

    def part(self, start: int, end: int) -> KeyedBars:
        """The bars at positions [start, end), sharing memory."""
        return KeyedBars(
            self.ids[start:end], self.opens[start:end], self.values[:, start:end]
        )

    def parts(self, size: int) -> Iterator[KeyedBars]:
        """Consecutive parts of at most `size` bars, sharing memory."""
        for start in range(0, len(self), size):
            yield self.part(start, start + size)

    def months(self) -> list[datetime]:
        """First instants of the months (UTC) in which bars open."""
        months = np.unique(self.opens.view("datetime64[us]").astype("datetime64[M]"))
        starts = months.astype("datetime64[us]").astype(np.int64).tolist()
        return [from_microseconds(start) for start in starts]

    def series(self) -> Iterator[tuple[int, slice]]:
        """Market key and positions of each series, ascending."""
        starts = np.flatnonzero(np.diff(self.ids, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(self)], strict=False):
            yield int(self.ids[start]), slice(start, end)


def _ascends(ids: NDArray[np.int32], opens: NDArray[np.int64]) -> bool:
    later = (ids[1:] == ids[:-1]) & (opens[1:] > opens[:-1])
    return bool((later | (ids[1:] > ids[:-1])).all())
