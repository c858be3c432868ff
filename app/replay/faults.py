"""Misbehaviour on request: which replies are spoilt, and how."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.config.settings import FaultSettings
from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import CLOSE, HIGH, LOW, OPEN_MS, TAKER_BASE, VOLUME, Rows
from app.replay.draws import chance

_BAR_KINDS = frozenset(
    (
        "missing_bars",
        "corrected_bars",
        "duplicate_bars",
        "reversed_bars",
        "short_page",
        "overlapping_pages",
        "shuffled_bars",
    )
)
_LISTING_KINDS = frozenset(("halt", "delist", "rename"))
_NOT_ABOUT_REPLIES = _BAR_KINDS | _LISTING_KINDS | {"clock_skew"}
_OVERLAP_BARS = 3
_SHORT_PAGE_BARS = 3


@dataclass(slots=True)
class ActiveFault:
    """One configured fault and how often it has struck.

    `seen` counts the requests it matched. Bar faults count a hit for every reply
    in which they changed something; `every` applies to whole replies only.
    """

    settings: FaultSettings
    seen: int = 0
    hits: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it may."""
        return bool(self.settings.times) and self.hits >= self.settings.times


class FaultBook:
    """The active faults; `seed` decides which bars a fraction means."""

    def __init__(self, faults: Iterable[FaultSettings], seed: int) -> None:
        self._seed = seed
        self._faults = [ActiveFault(each) for each in faults]

    def replace(self, faults: Iterable[FaultSettings]) -> None:
        """Forget the old faults and their counts."""
        self._faults = [ActiveFault(each) for each in faults]

    def report(self) -> list[dict[str, object]]:
        """Each fault as configured, with its counts."""
        return [
            {
                **fault.settings.model_dump(mode="json", exclude_defaults=True),
                "seen": fault.seen,
                "hits": fault.hits,
            }
            for fault in self._faults
        ]

    def find_reply_fault(
        self, path: str, symbol: str, now_ms: int
    ) -> FaultSettings | None:
        """The fault that spoils this whole reply, if one does; counts the hit."""
        chosen = None
        for fault in self._faults:
            settings = fault.settings
            if settings.kind in _NOT_ABOUT_REPLIES or not _asked(
                settings, path, symbol
            ):
                continue
            if not _between(settings, now_ms) or fault.spent:
                continue
            fault.seen += 1
            if chosen is None and fault.seen % settings.every == 0:
                fault.hits += 1
                chosen = settings
        return chosen

    def withhold(self, rows: Rows, symbol: str, timeframe: Timeframe) -> Rows:
        """`rows` without the bars that `missing_bars` faults hide."""
        for fault in self._bar_faults("missing_bars", symbol, timeframe):
            struck = self._struck(fault.settings, rows, symbol, timeframe)
            if struck.any():
                fault.hits += 1
                rows = rows[~struck]
        return rows

    def alter(self, rows: Rows, symbol: str, timeframe: Timeframe, now_ms: int) -> Rows:
        """`rows` as the other faults about bars make them look at `now_ms`."""
        for fault in self._bar_faults("corrected_bars", symbol, timeframe):
            closes = grid.close_all(rows[:, OPEN_MS], timeframe)
            settles_ms = round(fault.settings.settles_after_seconds * 1000)
            fresh = (closes <= now_ms) & (now_ms < closes + settles_ms)
            struck = fresh & self._struck(fault.settings, rows, symbol, timeframe)
            if struck.any():
                fault.hits += 1
                rows = _first_values(rows, struck)
        for fault in self._bar_faults("duplicate_bars", symbol, timeframe):
            struck = self._struck(fault.settings, rows, symbol, timeframe)
            if struck.any():
                fault.hits += 1
                rows = np.repeat(rows, 1 + struck, axis=0)
        for fault in self._bar_faults("short_page", symbol, timeframe):
            if len(rows) > _SHORT_PAGE_BARS:
                fault.hits += 1
                rows = rows[:_SHORT_PAGE_BARS]
        for fault in self._bar_faults("reversed_bars", symbol, timeframe):
            if len(rows) > 1:
                fault.hits += 1
                rows = rows[::-1]
        for fault in self._bar_faults("shuffled_bars", symbol, timeframe):
            if len(rows) > 1:
                fault.hits += 1
                opens = (int(opened) for opened in rows[:, OPEN_MS])
                drawn = [chance(self._seed, symbol, "shuffle", at) for at in opens]
                rows = rows[np.argsort(drawn, kind="stable")]
        return rows

    def overlap(self, symbol: str, timeframe: Timeframe) -> int:
        """How many bars from before its start a page holds as well."""
        faults = self._bar_faults("overlapping_pages", symbol, timeframe)
        for fault in faults:
            fault.hits += 1
        return _OVERLAP_BARS if faults else 0

    def listing_changes(self, now_ms: int) -> list[FaultSettings]:
        """Halts, delistings and renames in force at `now_ms`."""
        return [
            fault.settings
            for fault in self._faults
            if fault.settings.kind in _LISTING_KINDS
            and _between(fault.settings, now_ms)
        ]

    def skew_ms(self, now_ms: int) -> int:
        """How far the exchange's clock is ahead of the true time `now_ms`."""
        return sum(
            round(fault.settings.skew_seconds * 1000)
            for fault in self._faults
            if fault.settings.kind == "clock_skew" and _between(fault.settings, now_ms)
        )

    def withholds(self, symbol: str, timeframe: Timeframe) -> bool:
        """Whether `withhold` could hide anything of this series."""
        return bool(self._bar_faults("missing_bars", symbol, timeframe, count=False))

    def _bar_faults(
        self, kind: str, symbol: str, timeframe: Timeframe, count: bool = True
    ) -> list[ActiveFault]:
        found = []
        for fault in self._faults:
            settings = fault.settings
            if settings.kind != kind or fault.spent:
                continue
            if settings.symbol not in ("", symbol):
                continue
            if settings.timeframe not in ("", timeframe.value):
                continue
            fault.seen += count
            found.append(fault)
        return found

    def _struck(
        self, settings: FaultSettings, rows: Rows, symbol: str, timeframe: Timeframe
    ) -> NDArray[np.bool_]:
        """Which bars a fault means: by open time, then by (seed, symbol, open)."""
        opens = rows[:, OPEN_MS]
        struck = np.ones(len(rows), dtype=bool)
        if settings.start is not None:
            struck &= opens >= grid.to_ms(settings.start)
        if settings.end is not None:
            struck &= opens < grid.to_ms(settings.end)
        if settings.fraction < 1:
            purpose = f"{settings.kind} {timeframe.value}"
            for index in np.flatnonzero(struck):
                drawn = chance(self._seed, symbol, purpose, int(opens[index]))
                struck[index] = drawn < settings.fraction
        return struck


def _asked(settings: FaultSettings, path: str, symbol: str) -> bool:
    return settings.path in path and settings.symbol in ("", symbol)


def _between(settings: FaultSettings, now_ms: int) -> bool:
    """Whether a fault about whole replies applies at this virtual time."""
    if settings.start is not None and now_ms < grid.to_ms(settings.start):
        return False
    return settings.end is None or now_ms < grid.to_ms(settings.end)


def _first_values(rows: Rows, struck: NDArray[np.bool_]) -> Rows:
    """What the exchange said first: some volume short and another close."""
    first = rows.copy()
    first[struck, VOLUME:] = rows[struck, VOLUME:] * 97 // 100
    first[struck, TAKER_BASE - 1] = rows[struck, TAKER_BASE - 1]
    lower = (rows[:, CLOSE] + rows[:, LOW]) // 2
    other = np.where(
        lower != rows[:, CLOSE], lower, (rows[:, CLOSE] + rows[:, HIGH] + 1) // 2
    )
    first[struck, CLOSE] = other[struck]
    return first
