"""Closed bars of one series, as arrays that cannot be written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from app.core.exceptions import BadData
from app.domain.candle import Candle
from app.domain.timeframe import Timeframe

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]

_Item = TypeVar("_Item", bound=np.generic)
_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, eq=False)
class CandleWindow:
    """Closed bars of one series in ascending order, ending at the bar judged.

    All arrays have shape (bars,): `open_at` is datetime64[us] in UTC, prices are in
    the quote currency, volume in the base currency, all float64. Bars may be missing
    (`missing_bars` counts them); what is there is never forward-filled. Arrays are
    read-only views, so no reader can change what another one sees.

    Raises BadData where lengths differ, times are not ascending on the grid, or a
    value cannot have come from a market.
    """

    symbol: str
    timeframe: Timeframe
    open_at: TimeArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __post_init__(self) -> None:
        times = np.ascontiguousarray(self.open_at, dtype="datetime64[us]")
        object.__setattr__(self, "open_at", _read_only(times))
        for name in _COLUMNS:
            column = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, _read_only(column))
        _check(self)

    @classmethod
    def from_candles(
        cls, symbol: str, timeframe: Timeframe, candles: Sequence[Candle]
    ) -> CandleWindow:
        """Window over `candles`, which must be ascending."""
        times = np.array(
            [c.open_at.astimezone(timezone.utc).replace(tzinfo=None) for c in candles],
            dtype="datetime64[us]",
        )
        columns = (
            np.array([getattr(c, name) for c in candles], dtype=np.float64)
            for name in _COLUMNS
        )
        return cls(symbol, timeframe, times, *columns)

    def __len__(self) -> int:
        return len(self.open_at)

    @property
    def last_open_at(self) -> datetime:
        """Open time of the newest bar. Raises BadData on an empty window."""
        if not len(self):
            raise BadData(f"window of {self.symbol} {self.timeframe} holds no bar")
        moment: datetime = self.open_at[-1].item()
        return moment.replace(tzinfo=timezone.utc)

    @property
    def last_close_at(self) -> datetime:
        """The instant at which the newest bar was complete."""
        return self.timeframe.close_of(self.last_open_at)

    @property
    def missing_bars(self) -> int:
        """Bars of the grid between the first and the last one that are not here."""
        if len(self) < 2:
            return 0
        if self.timeframe.is_month:
            months = self.open_at[[0, -1]].astype("datetime64[M]").astype(np.int64)
            expected = int(months[1] - months[0]) + 1
        else:
            span = int((self.open_at[-1] - self.open_at[0]).astype(np.int64))
            expected = span // _step_us(self.timeframe) + 1
        return expected - len(self)

    def last(self, bars: int) -> CandleWindow:
        """The newest `bars` bars (all, if there are fewer), sharing memory."""
        if bars >= len(self):
            return self
        return self._slice(len(self) - bars, len(self))

    def first(self, bars: int) -> CandleWindow:
        """The oldest `bars` bars (all, if there are fewer), sharing memory."""
        return self._slice(0, min(bars, len(self)))

    def until(self, bar_at: datetime) -> CandleWindow:
        """The bars that opened at or before `bar_at`, sharing memory."""
        return self._slice(0, self._place(bar_at, "right"))

    def since(self, bar_at: datetime) -> CandleWindow:
        """The bars that opened at or after `bar_at`, sharing memory."""
        return self._slice(self._place(bar_at, "left"), len(self))

    def _place(self, bar_at: datetime, side: Literal["left", "right"]) -> int:
        moment = np.datetime64(bar_at.astimezone(timezone.utc).replace(tzinfo=None))
        return int(np.searchsorted(self.open_at, moment, side))

    def _slice(self, start: int, stop: int) -> CandleWindow:
        # A slice of a checked window needs no second check: this is the hot path.
        part = object.__new__(CandleWindow)
        object.__setattr__(part, "symbol", self.symbol)
        object.__setattr__(part, "timeframe", self.timeframe)
        for name in ("open_at", *_COLUMNS):
            object.__setattr__(part, name, getattr(self, name)[start:stop])
        return part


def _read_only(array: npt.NDArray[_Item]) -> npt.NDArray[_Item]:
    view = array.view()
    view.setflags(write=False)
    return view


def _step_us(timeframe: Timeframe) -> int:
    return int(timeframe.duration.total_seconds() * 1_000_000)


def _check(window: CandleWindow) -> None:
    name, bars = f"window of {window.symbol} {window.timeframe}", len(window.open_at)
    for column in _COLUMNS:
        shape = getattr(window, column).shape
        if shape != (bars,):
            raise BadData(f"{name}: {column} has shape {shape}, open_at ({bars},)")
    if not bars:
        return
    _check_times(window, name)
    for column in ("open", "high", "low", "close"):
        values = getattr(window, column)
        # A NaN survives min() and fails the comparison.
        if not (values.min() > 0 and values.max() < np.inf):
            raise BadData(f"{name}: {column} must be finite and above 0")
    if not (window.volume.min() >= 0 and window.volume.max() < np.inf):
        raise BadData(f"{name}: volume must be finite and at least 0")
    if (window.high < window.low).any():
        at = window.open_at[int(np.argmax(window.high < window.low))]
        raise BadData(f"{name}: high is below low at {at}")


def _check_times(window: CandleWindow, name: str) -> None:
    times = window.open_at
    if np.isnat(times).any():
        raise BadData(f"{name}: open_at holds NaT")
    steps = np.diff(times).astype(np.int64)
    if (steps <= 0).any():
        at = times[int(np.argmax(steps <= 0)) + 1]
        raise BadData(f"{name}: open_at must ascend, does not at {at}")
    if window.timeframe.is_month:
        on_grid = bool((times == times.astype("datetime64[M]")).all())
    else:
        first: datetime = times[0].item()
        on_grid = window.timeframe.is_aligned(first.replace(tzinfo=timezone.utc))
        on_grid = on_grid and not (steps % _step_us(window.timeframe)).any()
    if not on_grid:
        raise BadData(f"{name}: open_at leaves the {window.timeframe} grid")
