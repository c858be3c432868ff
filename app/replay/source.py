"""What the server needs from a market, simulated or recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows, no_rows, unfinished


class ListingStatus(str, Enum):
    """Binance's word for whether a symbol trades."""

    TRADING = "TRADING"
    BREAK = "BREAK"


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol as `exchangeInfo` lists it at some instant.

    `halted_ms` is the instant of the last trade of a symbol that no longer trades.
    """

    symbol: str
    base: str
    quote: str
    status: ListingStatus
    price_decimals: int
    lot_decimals: int
    quote_decimals: int
    spread_bps: float
    finest: Timeframe
    listed_ms: int
    halted_ms: int | None = None

    def horizon_ms(self, now_ms: int) -> int:
        """The newest instant this symbol's data reaches at `now_ms`."""
        return now_ms if self.halted_ms is None else min(now_ms, self.halted_ms)


@dataclass(frozen=True, slots=True)
class BarWindow:
    """Which bars are asked for: `start_ms` and `end_ms` bound the open, inclusive.

    With a start the oldest `limit` bars are meant, without one the newest.
    """

    start_ms: int | None
    end_ms: int | None
    limit: int


class MarketSource(Protocol):
    """A market whose every value is a function of the symbol and the time."""

    @property
    def seed(self) -> int:
        """Seed of what is drawn rather than recorded (books, trades)."""

    @property
    def first_start_ms(self) -> int:
        """Virtual time of a first start."""

    @property
    def ends_ms(self) -> int | None:
        """Virtual time at which the data ends; None: never."""

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        """Every symbol listed at `now_ms`."""

    def find_listing(self, symbol: str, now_ms: int) -> Listing | None:
        """The symbol's listing at `now_ms`, if it has one."""

    def bars(
        self, listing: Listing, timeframe: Timeframe, window: BarWindow, now_ms: int
    ) -> Rows:
        """Ascending bars as served at `now_ms`, the unfinished one included."""

    def true_bars(self, listing: Listing, start_ms: int, end_ms: int) -> Rows:
        """Finest bars that open in [start_ms, end_ms), as they will have ended."""


def seen_bars(
    source: MarketSource, listing: Listing, start_ms: int, now_ms: int
) -> Rows:
    """Finest bars from `start_ms` as they stand at `now_ms`."""
    horizon = listing.horizon_ms(now_ms)
    rows = source.true_bars(listing, start_ms, horizon)
    if not len(rows):
        return no_rows()
    opened = int(rows[-1, OPEN_MS])
    duration = grid.shift(opened, listing.finest, 1) - opened
    if opened + duration <= horizon:
        return rows
    last = unfinished(rows[-1], horizon - opened, duration)
    return np.concatenate((rows[:-1], last[None, :]))
