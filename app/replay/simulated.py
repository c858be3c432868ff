"""The simulated market: bars of any time frame, generated when asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

import numpy as np

from app.config.settings import ReplaySettings
from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows, aggregate, no_rows, unfinished
from app.replay.catalogue import Role, symbol_specs
from app.replay.paths import FactorDay, MarketFactor, SymbolPath
from app.replay.source import BarWindow, Listing, ListingStatus

_KEPT_FACTOR_DAYS = 640  # 23 kB each; daily history asks for them all
_KEPT_MINUTE_DAYS = 256  # 115 kB each
_KEPT_HOUR_DAYS = 4096  # 2 kB each
_KEPT_DAYS = 65_536
_GONE_AFTER_HALT_MS = 6 * grid.HOUR_MS
_RECENT_DAYS = 45

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Recent(OrderedDict[Key, Value], Generic[Key, Value]):
    """The last `size` values used."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def recall(self, key: Key) -> Value | None:
        found = self.get(key)
        if found is not None:
            self.move_to_end(key)
        return found

    def keep(self, key: Key, value: Value) -> Value:
        self[key] = value
        if len(self) > self._size:
            self.popitem(last=False)
        return value


class SimulatedMarket:
    """Correlated symbols whose every value follows from (seed, symbol, time)."""

    def __init__(self, settings: ReplaySettings) -> None:
        self.seed = settings.seed
        self.first_start_ms = grid.to_ms(settings.start)
        self.ends_ms: int | None = None
        self._specs = {spec.symbol: spec for spec in symbol_specs(settings.markets)}
        self._paths = {
            symbol: SymbolPath(self.seed, spec) for symbol, spec in self._specs.items()
        }
        self._factor = MarketFactor(self.seed)
        start_day = grid.floor(self.first_start_ms, Timeframe.D1)
        self._listed_ms = start_day - settings.history_days * grid.DAY_MS
        self._recent_ms = max(self._listed_ms, start_day - _RECENT_DAYS * grid.DAY_MS)
        delay_ms = round(settings.delisting_after_hours * grid.HOUR_MS)
        self._halt_ms = grid.ceil(self.first_start_ms + delay_ms, Timeframe.M1)
        self._factor_days: _Recent[int, FactorDay] = _Recent(_KEPT_FACTOR_DAYS)
        self._minute_days: _Recent[tuple[str, int], Rows] = _Recent(_KEPT_MINUTE_DAYS)
        self._hour_days: _Recent[tuple[str, int], Rows] = _Recent(_KEPT_HOUR_DAYS)
        self._days: _Recent[tuple[str, int], Rows] = _Recent(_KEPT_DAYS)

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        """Every symbol listed at `now_ms`; the delisted one goes after its halt."""
        found = (self.find_listing(symbol, now_ms) for symbol in self._specs)
        return tuple(listing for listing in found if listing is not None)

    def find_listing(self, symbol: str, now_ms: int) -> Listing | None:
        spec = self._specs.get(symbol)
        if spec is None:
            return None
        halted = spec.role is Role.DELISTED and now_ms >= self._halt_ms
        if halted and now_ms >= self._halt_ms + _GONE_AFTER_HALT_MS:
            return None
        return Listing(
            symbol=symbol,
            base=spec.base,
            quote=spec.quote,
            status=ListingStatus.BREAK if halted else ListingStatus.TRADING,
            price_decimals=spec.price_decimals,
            lot_decimals=spec.lot_decimals,
            quote_decimals=spec.price_decimals + spec.lot_decimals,
            spread_bps=spec.spread_bps,
            finest=Timeframe.M1,
            listed_ms=self._recent_ms if spec.role is Role.RECENT else self._listed_ms,
            halted_ms=self._halt_ms if halted else None,
        )

    def bars(
        self, listing: Listing, timeframe: Timeframe, window: BarWindow, now_ms: int
    ) -> Rows:
        """Bars of the calendar grid; none is missing while the symbol trades."""
        horizon = listing.horizon_ms(now_ms)
        # A halted symbol opens no bar at the very instant of its halt.
        newest = grid.floor(horizon - (listing.halted_ms is not None), timeframe)
        if window.end_ms is not None:
            newest = min(newest, grid.floor(window.end_ms, timeframe))
        oldest = grid.floor(listing.listed_ms, timeframe)
        if window.start_ms is None:
            oldest = max(oldest, grid.shift(newest, timeframe, 1 - window.limit))
        else:
            start = min(max(window.start_ms, oldest), horizon + grid.DAY_MS)
            oldest = grid.ceil(start, timeframe)
            newest = min(newest, grid.shift(oldest, timeframe, window.limit - 1))
        if newest < oldest:
            return no_rows()
        unit = _unit_of(timeframe)
        start, end = max(oldest, listing.listed_ms), grid.shift(newest, timeframe, 1)
        rows = self._units(listing, unit, start, min(end, horizon), horizon)
        if end > horizon:
            current = self._current(listing, unit, horizon)
            if current[OPEN_MS] >= start and listing.halted_ms != current[OPEN_MS]:
                rows = np.concatenate((rows, current[None, :]))
        return rows if unit is timeframe else aggregate(rows, timeframe)

    def true_bars(self, listing: Listing, start_ms: int, end_ms: int) -> Rows:
        start = max(grid.ceil(start_ms, Timeframe.M1), listing.listed_ms)
        end = grid.ceil(end_ms, Timeframe.M1)
        if listing.halted_ms is not None:
            end = min(end, listing.halted_ms)
        return self._units(listing, Timeframe.M1, start, end, end)

    def _units(
        self, listing: Listing, unit: Timeframe, start: int, end: int, horizon: int
    ) -> Rows:
        """Closed bars of `unit` (1m, 1h, 1d) that open in [start, end)."""
        step = grid.step_ms(unit)
        end = min(end, horizon // step * step)
        if end <= start:
            return no_rows()
        pieces = []
        for day in range(start // grid.DAY_MS, (end - 1) // grid.DAY_MS + 1):
            rows, midnight = self._day(listing.symbol, day, unit), day * grid.DAY_MS
            first = max(0, -(-(start - midnight) // step))
            pieces.append(rows[first : -(-(end - midnight) // step)])
        return np.concatenate(pieces)

    def _current(self, listing: Listing, unit: Timeframe, now_ms: int) -> Rows:
        """The unfinished bar of `unit`, from the finished finer ones and the rest."""
        opened = grid.floor(now_ms, unit)
        if unit is Timeframe.M1:
            day = opened // grid.DAY_MS
            minutes = self._day(listing.symbol, day, unit)
            row = minutes[opened % grid.DAY_MS // grid.MINUTE_MS]
            return unfinished(row, now_ms - opened, grid.MINUTE_MS)
        finer = Timeframe.M1 if unit is Timeframe.H1 else Timeframe.H1
        closed = self._units(listing, finer, opened, now_ms, now_ms)
        current = self._current(listing, finer, now_ms)
        merged: Rows = aggregate(np.concatenate((closed, current[None, :])), unit)[0]
        return merged

    def _day(self, symbol: str, day: int, unit: Timeframe) -> Rows:
        """All bars of `unit` (1m, 1h, 1d) of one day; not to be written to."""
        key = (symbol, day)
        if unit is Timeframe.M1:
            minutes = self._minute_days.recall(key)
            if minutes is None:
                minutes = self._paths[symbol].day(day, self._factor_day(day))
                self._minute_days.keep(key, minutes)
            return minutes
        kept = self._hour_days if unit is Timeframe.H1 else self._days
        rows = kept.recall(key)
        if rows is None:
            finer = Timeframe.M1 if unit is Timeframe.H1 else Timeframe.H1
            rows = kept.keep(key, aggregate(self._day(symbol, day, finer), unit))
        return rows

    def _factor_day(self, day: int) -> FactorDay:
        found = self._factor_days.recall(day)
        if found is None:
            found = self._factor_days.keep(day, self._factor.day(day))
        return found


def _unit_of(timeframe: Timeframe) -> Timeframe:
    """The cached time frame from which `timeframe` is aggregated."""
    if timeframe.is_month or timeframe.duration >= Timeframe.D1.duration:
        return Timeframe.D1
    hourly = timeframe.duration >= Timeframe.H1.duration
    return Timeframe.H1 if hourly else Timeframe.M1
