"""What an answer, page or file, says of a series: its bars, and the slots without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.timeframe import Timeframe
from app.exchange.rejected import RejectedItem
from app.models.bars import BAR_DTYPE, VALUES


class BarTable(Protocol):
    """What `CandlePage` and `BarChunk` share."""

    @property
    def open_ms(self) -> NDArray[np.int64]:
        """Open times in epoch milliseconds, of shape (bars,)."""

    @property
    def values(self) -> NDArray[np.float64]:
        """Open, high, low, close, volume, of shape (bars, 5)."""


@dataclass(frozen=True, slots=True)
class Testimony:
    """What an answer says of slots without a bar; as in `SeriesSlice`."""

    refused: frozenset[datetime]
    counts_as_answer: bool
    unclear: int


def testimony_of(
    timeframe: Timeframe, holds_bars: bool, rejected: Sequence[RejectedItem]
) -> Testimony:
    """How far an answer that `holds_bars` is evidence of absence.

    A refused row whose slot cannot be read may be any of the missing bars: then none
    of them was shown to be absent.
    """
    moments = [item.occurred_at for item in rejected if item.occurred_at is not None]
    refused = [moment for moment in moments if timeframe.is_aligned(moment)]
    unclear = len(rejected) - len(refused)
    return Testimony(frozenset(refused), holds_bars and not unclear, unclear)


def bars_of(parts: Sequence[BarTable]) -> NDArray[np.void]:
    """The bars of consecutive parts as one array of `BAR_DTYPE`."""
    bars = np.empty(sum(len(part.open_ms) for part in parts), dtype=BAR_DTYPE)
    start = 0
    for part in parts:
        room = bars[start : start + len(part.open_ms)]
        room["open_at"] = part.open_ms * 1000
        for column, name in enumerate(VALUES):
            room[name] = part.values[:, column]
        start += len(part.open_ms)
    return bars
