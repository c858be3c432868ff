"""Recorded bars of one symbol as integer rows, on every time frame they allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import gcd

import numpy as np

from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows, aggregate, no_rows
from app.replay.recording_files import PLACES, UNITS, RecordedBar, RecordedFile

_MONTH_MS = 31 * grid.DAY_MS
# Sums must stay exact in 64 bits; a calendar month touches two stretches.
_LARGEST_SUM = 2**61


class RecordedSymbol:
    """All series of one symbol, in ticks and lots of the decimals found in them."""

    def __init__(self, symbol: str, files: Sequence[RecordedFile]) -> None:
        self.symbol = symbol
        bars = [bar for file in files for bar in file.bars]
        self.price_decimals = _decimals(
            price for bar in bars for price in (bar.open, bar.high, bar.low, bar.close)
        )
        self.lot_decimals = _decimals(
            amount for bar in bars for amount in (bar.volume, bar.taker_base_volume)
        )
        for month in _months(files):
            if _room(bar.volume for bar in month) < self.lot_decimals:
                opened = grid.to_datetime(month[0].open_ms)
                raise ConfigurationError(
                    f"the recording of {symbol}: the volumes of {opened:%Y-%m} add up "
                    f"to more than {_LARGEST_SUM} / 10^{self.lot_decimals}"
                )
        self.quote_decimals = min(
            _decimals(bar.quote_volume for bar in bars if bar.quote_volume is not None)
            or PLACES,
            *(_room(_quote_volume(bar) for bar in month) for month in _months(files)),
        )
        self._native = {file.timeframe: self._rows(file) for file in files}
        self.finest = min(self._native, key=lambda frame: frame.duration)
        self._frames: dict[Timeframe, Rows] = {}

    @property
    def listed_ms(self) -> int:
        """Open time of the oldest bar of any time frame."""
        return min(int(rows[0, OPEN_MS]) for rows in self._native.values())

    @property
    def first_ms(self) -> int:
        """Open time of the first of the finest bars."""
        return int(self.finest_rows[0, OPEN_MS])

    @property
    def ends_ms(self) -> int:
        """Close time of the last of the finest bars."""
        return grid.shift(int(self.finest_rows[-1, OPEN_MS]), self.finest, 1)

    @property
    def finest_rows(self) -> Rows:
        """The bars everything else is derived from."""
        return self._native[self.finest]

    def frame(self, timeframe: Timeframe) -> Rows:
        """Complete bars of `timeframe`: as recorded where a file has it, aggregated
        from the finest series that covers the bar elsewhere."""
        rows = self._frames.get(timeframe)
        if rows is None:
            rows = self._frames[timeframe] = self._merge(timeframe)
        return rows

    def _merge(self, timeframe: Timeframe) -> Rows:
        merged = self._native.get(timeframe, no_rows())
        for finer in sorted(self._native, key=lambda frame: frame.duration):
            if not nests(finer, timeframe):
                continue
            rows = _complete(self._native[finer], finer, timeframe)
            new = ~np.isin(rows[:, OPEN_MS], merged[:, OPEN_MS])
            merged = np.concatenate((merged, rows[new]))
        return merged[np.argsort(merged[:, OPEN_MS], kind="stable")]

    def _rows(self, file: RecordedFile) -> Rows:
        return np.array([self._row(bar) for bar in file.bars], dtype=np.int64)

    def _row(self, bar: RecordedBar) -> tuple[int, ...]:
        """Integer row of a bar; what the file does not say is estimated from it:
        turnover at the mean of its four prices, half of it by buyers."""
        volume = _scaled(bar.volume, self.lot_decimals)
        taker = bar.taker_base_volume
        turnover = _scaled(_quote_volume(bar), self.quote_decimals)
        bought = volume // 2 if taker is None else _scaled(taker, self.lot_decimals)
        spent = bar.taker_quote_volume
        return (
            bar.open_ms,
            *(
                _scaled(price, self.price_decimals)
                for price in (bar.open, bar.high, bar.low, bar.close)
            ),
            volume,
            turnover,
            min(volume, 1) if bar.trades is None else bar.trades,
            bought,
            turnover // 2 if spent is None else _scaled(spent, self.quote_decimals),
        )


def _complete(rows: Rows, finer: Timeframe, timeframe: Timeframe) -> Rows:
    """Aggregates of the buckets that lie wholly within the recording's ends.

    A hole inside the recording leaves its bucket standing, as an outage does on an
    exchange; a bucket cut by an end of the recording would be wrong.
    """
    first = int(rows[0, OPEN_MS])
    end = grid.shift(int(rows[-1, OPEN_MS]), finer, 1)
    merged = aggregate(rows, timeframe)
    closes = grid.close_all(merged[:, OPEN_MS], timeframe)
    whole: Rows = merged[(merged[:, OPEN_MS] >= first) & (closes <= end)]
    return whole


def nests(finer: Timeframe, timeframe: Timeframe) -> bool:
    """Whether every bar of `timeframe` consists of whole bars of `finer`."""
    if finer.duration >= timeframe.duration or finer.duration > Timeframe.D1.duration:
        return False
    unit = min(timeframe.duration, Timeframe.D1.duration)
    return not unit % finer.duration


def _quote_volume(bar: RecordedBar) -> int:
    if bar.quote_volume is not None:
        return bar.quote_volume
    return (bar.open + bar.high + bar.low + bar.close) // 4 * bar.volume // UNITS


def _months(files: Sequence[RecordedFile]) -> Iterator[list[RecordedBar]]:
    """The bars of each file, 31 days at a time; a month is the longest bar summed."""
    for file in files:
        months = groupby(file.bars, key=lambda bar: bar.open_ms // _MONTH_MS)
        yield from (list(bars) for _, bars in months)


def _room(amounts: Iterable[int]) -> int:
    """Decimals, eight at most, with which the sum of `amounts` fits in 64 bits."""
    total, decimals = sum(amounts), PLACES
    while decimals and total > _LARGEST_SUM:
        total, decimals = total // 10, decimals - 1
    return decimals


def _scaled(value: int, decimals: int) -> int:
    unit: int = 10 ** (PLACES - decimals)
    return (value + unit // 2) // unit


def _decimals(values: Iterable[int | None]) -> int:
    """Decimals, eight at most, that the values need."""
    common: int = gcd(*(value for value in values if value))
    decimals = PLACES
    while common and decimals and not common % 10:
        common //= 10
        decimals -= 1
    return decimals if common else 0
