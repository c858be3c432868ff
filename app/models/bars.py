"""Bars of a series as one numpy array, the form in which they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.candle import Candle
from app.domain.timeframe import Timeframe

VALUES = ("open", "high", "low", "close", "volume")

# Open time in microseconds since 1970-01-01 UTC, then prices and volume.
BAR_DTYPE = np.dtype([("open_at", "<i8"), *((name, "<f8") for name in VALUES)])

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The instant so many microseconds after 1970-01-01 UTC, exactly."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


class BarsOfSeries(Protocol):
    """Bars of one series, in any order, as a flat array of `BAR_DTYPE`."""

    @property
    def cryptocurrency_id(self) -> int:
        """The market's key."""

    @property
    def timeframe(self) -> Timeframe:
        """Length of the bars."""

    @property
    def bars(self) -> NDArray[np.void]:
        """The array, of shape (bars,)."""


@dataclass(frozen=True, slots=True)
class SeriesBars:
    """Bars of one series, in any order, as an array of `BAR_DTYPE`."""

    cryptocurrency_id: int
    timeframe: Timeframe
    bars: NDArray[np.void]

    def __post_init__(self) -> None:
        if self.bars.dtype != BAR_DTYPE or self.bars.ndim != 1:
            raise ValueError(f"bars must be a flat array of {BAR_DTYPE}")

    @classmethod
    def from_candles(
        cls, cryptocurrency_id: int, timeframe: Timeframe, candles: Iterable[Candle]
    ) -> Self:
        """The array of these candles."""
        rows = [
            (to_microseconds(c.open_at), c.open, c.high, c.low, c.close, c.volume)
            for c in candles
        ]
        return cls(cryptocurrency_id, timeframe, np.array(rows, dtype=BAR_DTYPE))
