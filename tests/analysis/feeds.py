"""What analysis functions are fed: a market, its companions, and cuts of them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

import numpy as np

from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from tests.analysis.windows import COLUMNS, first_bars

HIGHER: dict[Timeframe, tuple[Timeframe, ...]] = {
    Timeframe.M1: (Timeframe.M5, Timeframe.M15),
    Timeframe.M5: (Timeframe.M15, Timeframe.H1),
    Timeframe.H1: (Timeframe.H4, Timeframe.D1),
    Timeframe.D1: (Timeframe.W1,),
}


@dataclass(frozen=True, eq=False)
class Feed:
    """A market with all that a function may ask for beside it.

    `benchmark` is another market at the same bars, `higher` the market's own larger
    time frames, of which only bars complete by the last bar's close are here.
    Cuts are kept, for many functions are asked about the same ones; windows cannot be
    written to.
    """

    window: CandleWindow
    benchmark: CandleWindow
    higher: dict[Timeframe, CandleWindow]

    @classmethod
    def of(cls, window: CandleWindow) -> Feed:
        """The market with companions that follow from it alone."""
        steps = np.random.default_rng(len(window)).normal(0.0, 0.01, len(window))
        factor = np.exp(np.cumsum(steps))
        prices = (getattr(window, name) ** 0.5 * factor for name in COLUMNS[1:5])
        benchmark = CandleWindow(
            "BTC/USDT", window.timeframe, window.open_at, *prices, window.volume * 3
        )
        frames = HIGHER[window.timeframe]
        return cls(
            window, benchmark, {frame: grouped(window, frame) for frame in frames}
        )

    @property
    def timeframes(self) -> dict[Timeframe, CandleWindow]:
        return {self.window.timeframe: self.window, **self.higher}

    @cached_property
    def markets(self) -> dict[str, CandleWindow]:
        """Three markets; the third lacks every seventh bar."""
        some = np.arange(len(self.window)) % 7 != 3
        holed = keep_bars(self.benchmark, some)
        return {"AAA/USDT": self.window, "BTC/USDT": self.benchmark, "CCC/USDT": holed}

    @lru_cache(maxsize=4096)
    def removed(self, bars: int) -> Feed:
        """The first bars in memory of their own: no later bar is even near."""
        return self._cut(bars, first_bars)

    @lru_cache(maxsize=4096)
    def hidden(self, bars: int) -> Feed:
        """The first bars as views of memory in which the later ones follow."""
        return self._cut(bars, lambda window, kept: window._slice(0, kept))

    @lru_cache(maxsize=4096)
    def altered(self, bars: int) -> Feed:
        """All bars, those after the first `bars` replaced by a wilder market."""
        return self._cut(bars, _alter)

    def _cut(self, bars: int, cut: Callable[[CandleWindow, int], CandleWindow]) -> Feed:
        moment = first_bars(self.window, bars).last_close_at
        return Feed(
            cut(self.window, bars),
            cut(self.benchmark, bars),
            {
                frame: cut(window, bars_closed_by(window, moment))
                for frame, window in self.higher.items()
            },
        )


def bars_closed_by(window: CandleWindow, moment: datetime) -> int:
    """How many of the window's bars were complete at `moment`."""
    step = np.timedelta64(int(window.timeframe.duration.total_seconds()), "s")
    at = np.datetime64(moment.replace(tzinfo=None))
    return int(np.searchsorted(window.open_at + step, at, "right"))


def keep_bars(window: CandleWindow, kept: np.ndarray) -> CandleWindow:
    """The bars whose place in `kept` is True: the others are missing."""
    columns = (getattr(window, name)[kept] for name in COLUMNS)
    return CandleWindow(window.symbol, window.timeframe, *columns)


def grouped(window: CandleWindow, timeframe: Timeframe) -> CandleWindow:
    """The window's complete bars of a larger time frame, from the bars there are."""
    if not len(window):
        return CandleWindow(
            window.symbol, timeframe, *(getattr(window, c) for c in COLUMNS)
        )
    step = np.timedelta64(int(timeframe.duration.total_seconds()), "s")
    first = timeframe.floor(window.until(window.last_open_at).last_open_at)
    anchor = np.datetime64(first.replace(tzinfo=None), "us")
    group = (window.open_at - anchor) // step
    starts = np.flatnonzero(np.r_[True, np.diff(group) > 0])
    ends = np.r_[starts[1:], len(window)] - 1
    bars = CandleWindow(
        window.symbol,
        timeframe,
        anchor + group[starts] * step,
        window.open[starts],
        np.maximum.reduceat(window.high, starts),
        np.minimum.reduceat(window.low, starts),
        window.close[ends],
        np.add.reduceat(window.volume, starts),
    )
    return first_bars(bars, bars_closed_by(bars, window.last_close_at))


def _alter(window: CandleWindow, kept: int) -> CandleWindow:
    columns = {name: getattr(window, name).copy() for name in COLUMNS}
    later = len(window) - kept
    wild = np.exp(np.random.default_rng(later).normal(0.0, 0.5, later))
    for name in ("open", "high", "low", "close"):
        columns[name][kept:] *= 50 * wild
    columns["volume"][kept:] = columns["volume"][kept:][::-1] * 9 + 1
    return CandleWindow(window.symbol, window.timeframe, **columns)
