"""Volume-weighted average price of a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import talib

from app.analysis.indicators.base import Indicator
from app.analysis.sessions import ASIA_HOURS, LONDON_HOURS, NEW_YORK_HOURS
from app.analysis.window import CandleWindow, FloatArray
from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_DAY_US = _DAY // _MICROSECOND

# When a session opens, each day, after 00:00 UTC. It lasts until it opens again.
SESSION_OPENS: Mapping[str, timedelta] = MappingProxyType(
    {
        "utc_day": timedelta(0),
        "asia": timedelta(hours=ASIA_HOURS[0]),
        "london": timedelta(hours=LONDON_HOURS[0]),
        "new_york": timedelta(hours=NEW_YORK_HOURS[0]),
    }
)


@dataclass(frozen=True, slots=True)
class Vwap(Indicator):
    """Mean of typical prices since the session opened, weighted with volume.

    A sum without an end, so it is anchored: at 00:00 UTC, or each day at the opening of
    a session of `SESSION_OPENS`. A bar belongs to the session in which it opens. The
    days of a series that starts within one are computed from its first bar on.
    """

    name: ClassVar[str] = "vwap"

    session: str = "utc_day"

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"vwap_{self.session}",)

    @property
    def bars_needed(self) -> int:
        return self.bars_needed_on(Timeframe.M1)

    def bars_needed_on(self, timeframe: Timeframe) -> int:
        """Bars of a whole session, however late in it the last bar is."""
        return max(1, -(-_DAY // timeframe.duration))

    @property
    def anchor(self) -> str | None:
        minutes = SESSION_OPENS[self.session] // timedelta(minutes=1)
        return f"{self.session} at {minutes // 60:02}:{minutes % 60:02} UTC"

    @property
    def undefined_when(self) -> str | None:
        return "nothing was traded since the session opened"

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        value = talib.TYPPRICE(window.high, window.low, window.close)
        value *= window.volume
        edges = _session_edges(window, SESSION_OPENS[self.session])
        traded, spent = _sums(window.volume, edges), _sums(value, edges)
        vwap = np.full(len(window), np.nan)
        return (np.divide(spent, traded, out=vwap, where=traded > 0),)

    def _check(self, field: str, kind: str, value: Any) -> None:
        if value not in SESSION_OPENS:
            raise ConfigurationError(
                f"{self.name}: session must be one of {sorted(SESSION_OPENS)}, "
                f"got {value!r}"
            )


def _session_edges(window: CandleWindow, opens: timedelta) -> list[int] | None:
    """First bar of each session, and the number of bars; None for one bar each."""
    if not len(window) or window.timeframe.duration >= _DAY:
        return None
    times = window.open_at.view(np.int64)
    offset = opens // _MICROSECOND
    first = (int(times[0]) - offset) // _DAY_US + 1
    last = (int(times[-1]) - offset) // _DAY_US + 1
    starts = np.arange(first, last) * _DAY_US + offset
    return [0, *np.searchsorted(times, starts).tolist(), len(times)]


def _sums(values: FloatArray, edges: list[int] | None) -> FloatArray:
    """Running sums that start anew at each edge: nothing is left of older sessions."""
    if edges is None:
        return values
    sums = np.empty_like(values)
    for start, stop in pairwise(edges):
        values[start:stop].cumsum(out=sums[start:stop])
    return sums
