"""A recording served as a market: what was true then, seen at the virtual time."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

from app.config.settings import ReplaySettings
from app.core.exceptions import ConfigurationError
from app.domain.pairs import QUOTES, split_pair
from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows, aggregate, no_rows
from app.replay.recorded_series import RecordedSymbol, nests
from app.replay.recording_files import read_folder
from app.replay.source import BarWindow, Listing, ListingStatus, seen_bars

_SPREAD_BPS = 1.5
_WARMUP_BARS = 300


class RecordedMarket:
    """Serves a folder of recorded bars; see `recording_files` for its layout."""

    def __init__(self, settings: ReplaySettings) -> None:
        folder = Path(settings.recording)
        files = sorted(read_folder(folder), key=lambda file: file.symbol)
        self._symbols = {
            symbol: RecordedSymbol(symbol, list(group))
            for symbol, group in groupby(files, key=lambda file: file.symbol)
        }
        self._pairs = {symbol: _pair(symbol, folder) for symbol in self._symbols}
        self.seed = settings.seed
        # Time runs where the finest bars are; coarser ones are history.
        finest = min(
            self._symbols.values(), key=lambda each: each.finest.duration
        ).finest
        fine = [each for each in self._symbols.values() if each.finest is finest]
        first = min(each.first_ms for each in fine)
        end = max(each.ends_ms for each in fine)
        self.ends_ms: int | None = end
        self.first_start_ms = _first_start(settings, finest, first, end)

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        """Symbols whose recording has begun by `now_ms`."""
        found = (self.find_listing(symbol, now_ms) for symbol in self._symbols)
        return tuple(listing for listing in found if listing is not None)

    def find_listing(self, symbol: str, now_ms: int) -> Listing | None:
        series = self._symbols.get(symbol)
        if series is None or now_ms < series.listed_ms:
            return None
        # At the end of everything the market stands still, it does not close down.
        over = now_ms >= series.ends_ms and series.ends_ms != self.ends_ms
        base, quote = self._pairs[symbol]
        return Listing(
            symbol=symbol,
            base=base,
            quote=quote,
            status=ListingStatus.BREAK if over else ListingStatus.TRADING,
            price_decimals=series.price_decimals,
            lot_decimals=series.lot_decimals,
            quote_decimals=series.quote_decimals,
            spread_bps=_SPREAD_BPS,
            finest=series.finest,
            listed_ms=series.listed_ms,
            halted_ms=series.ends_ms if over else None,
        )

    def bars(
        self, listing: Listing, timeframe: Timeframe, window: BarWindow, now_ms: int
    ) -> Rows:
        """Bars the recording holds or covers; a hole in it stays a hole."""
        horizon = listing.horizon_ms(now_ms)
        rows = self._symbols[listing.symbol].frame(timeframe)
        closes = grid.close_all(rows[:, OPEN_MS], timeframe)
        rows = rows[: int(np.searchsorted(closes, horizon, side="right"))]
        current = self._current(listing, timeframe, horizon)
        if len(current):
            rows = np.concatenate((rows, current))
        opens = rows[:, OPEN_MS]
        first, last = 0, len(rows)
        if window.end_ms is not None:
            last = int(np.searchsorted(opens, window.end_ms, side="right"))
        if window.start_ms is None:
            return rows[max(0, last - window.limit) : last]
        first = int(np.searchsorted(opens, window.start_ms))
        return rows[first : min(last, first + window.limit)]

    def true_bars(self, listing: Listing, start_ms: int, end_ms: int) -> Rows:
        rows = self._symbols[listing.symbol].finest_rows
        opens = rows[:, OPEN_MS]
        return rows[np.searchsorted(opens, start_ms) : np.searchsorted(opens, end_ms)]

    def _current(self, listing: Listing, timeframe: Timeframe, horizon: int) -> Rows:
        """The unfinished bar, unless the recording lacks its beginning."""
        series = self._symbols[listing.symbol]
        opened = grid.floor(horizon, timeframe)
        if opened < series.first_ms or listing.halted_ms is not None:
            return no_rows()
        if timeframe is not series.finest and not nests(series.finest, timeframe):
            return no_rows()
        return aggregate(seen_bars(self, listing, opened, horizon), timeframe)


def _first_start(
    settings: ReplaySettings, finest: Timeframe, first: int, end: int
) -> int:
    """Virtual time of the first start: as set, else where there is some history."""
    if "start" in settings.model_fields_set:
        start = grid.to_ms(settings.start)
        if not first <= start <= end:
            raise ConfigurationError(
                f"replay.start must lie within the recording, "
                f"{grid.to_datetime(first).isoformat()} to "
                f"{grid.to_datetime(end).isoformat()}, "
                f"got {settings.start.isoformat()}"
            )
        return start
    warmup = round(settings.recording_warmup_hours * grid.HOUR_MS)
    warmup = max(warmup, _WARMUP_BARS * grid.step_ms(finest))
    return first + min(warmup, (end - first) // 2)


def _pair(symbol: str, folder: Path) -> tuple[str, str]:
    pair = split_pair(symbol)
    if pair is None:
        raise ConfigurationError(
            f"{folder}: {symbol} must end with a known quote currency "
            f"({', '.join(QUOTES)})"
        )
    return pair
