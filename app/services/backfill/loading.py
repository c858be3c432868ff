"""Archive files into arrays of bars, one batch a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.domain.timeframe import Timeframe
from app.exchange.archives.bar_file import BarFile, read_bars
from app.exchange.archives.layout import ArchiveFile
from app.exchange.rejected import RejectedItem
from app.models.bars import to_microseconds
from app.services.collection.answers import bars_of


@dataclass(frozen=True, slots=True, eq=False)
class LoadedBars:
    """Bars (`BAR_DTYPE`) of a source that answers for [starts_at, ends_at)."""

    bars: npt.NDArray[np.void]
    starts_at: datetime
    ends_at: datetime
    refused: tuple[RejectedItem, ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[LoadedBars]) -> LoadedBars:
        """Parts that follow each other without a hole, as one."""
        return cls(
            np.concatenate([part.bars for part in parts]),
            parts[0].starts_at,
            parts[-1].ends_at,
            tuple(item for part in parts for item in part.refused),
        )


def load_archive(
    path: Path,
    file: ArchiveFile,
    symbol: str,
    within: tuple[datetime, datetime],
    server_now: datetime,
) -> LoadedBars:
    """The bars of a klines file that open `within`, all or none of them.

    Raises BadData for a file that is refused.
    """
    assert file.timeframe is not None
    source = BarFile(path, symbol, file.timeframe, file.starts_at, file.ends_at)
    chunks = list(read_bars(source, server_now))
    bars = bars_of(chunks)
    starts_at, ends_at = max(file.starts_at, within[0]), min(file.ends_at, within[1])
    first, last = np.searchsorted(
        bars["open_at"], [to_microseconds(starts_at), to_microseconds(ends_at)]
    )
    refused = tuple(item for chunk in chunks for item in chunk.refused)
    ceil = file.timeframe.ceil
    return LoadedBars(bars[first:last], ceil(starts_at), ceil(ends_at), refused)


def slots_of(timeframe: Timeframe, loaded: Sequence[LoadedBars]) -> int:
    """Number of slots these parts answer for."""
    return sum(timeframe.count_bars(part.starts_at, part.ends_at) for part in loaded)
