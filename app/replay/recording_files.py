"""Reads recorded bars: CSV, gzipped CSV or Parquet, one series a file.

A file is named `SYMBOL-TIMEFRAME.csv` (`.csv.gz`, `.parquet`), for example
`BTCUSDT-1m.csv.gz`. Columns: `open_time` (ISO 8601, UTC where it names no zone, or
epoch milliseconds), `open`, `high`, `low`, `close`, `volume` and, where known,
`quote_volume`, `trades`, `taker_base_volume`, `taker_quote_volume`.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe
from app.exchange.archives.recorded_names import (
    REQUIRED_COLUMNS,
    find_recorded_name,
)
from app.replay import grid

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
# Milliseconds of 1973 to 5138: seconds and microseconds fall outside.
_EARLIEST_MS, _LATEST_MS = 10**11, 10**14
_MOST_DIGITS = 18

# Eight decimals are what exchanges publish; further ones are rounded away.
PLACES = 8
UNITS: int = 10**PLACES

Cells = Mapping[str, object]


class RecordedBar(NamedTuple):
    """One bar as written, in units of 10^-8; None where the file does not say."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    quote_volume: int | None
    trades: int | None
    taker_base_volume: int | None
    taker_quote_volume: int | None


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One series, ascending by open time."""

    symbol: str
    timeframe: Timeframe
    bars: tuple[RecordedBar, ...]


def read_folder(folder: Path) -> list[RecordedFile]:
    """Every series in `folder`; raises `ConfigurationError` for a malformed one."""
    if not folder.is_dir():
        raise ConfigurationError(f"replay.recording: {folder} is not a folder")
    names = sorted(p for p in folder.iterdir() if p.name.endswith(_SUFFIXES))
    if not names:
        raise ConfigurationError(
            f"replay.recording: {folder} holds no SYMBOL-TIMEFRAME.csv, .csv.gz or "
            ".parquet file"
        )
    return [read_file(path) for path in names]


def read_file(path: Path) -> RecordedFile:
    """One series; raises `ConfigurationError` naming file, line and value."""
    name = find_recorded_name(path.name)
    if name is None:
        raise ConfigurationError(
            f"{path}: the name must be SYMBOL-TIMEFRAME.csv, .csv.gz or .parquet, "
            "for example BTCUSDT-1m.csv.gz"
        )
    source = _parquet_rows if name.kind == "parquet" else _csv_rows
    bars: dict[int, RecordedBar] = {}
    try:
        for line, cells in source(path):
            bar = _Line(path, line, cells).bar(name.timeframe)
            if bar.open_ms in bars:
                opened = grid.to_datetime(bar.open_ms).isoformat()
                raise ConfigurationError(
                    f"{path} line {line}: a second bar opens at {opened}"
                )
            bars[bar.open_ms] = bar
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    if not bars:
        raise ConfigurationError(f"{path}: holds no bars")
    ordered = tuple(bars[opened] for opened in sorted(bars))
    return RecordedFile(name.symbol, name.timeframe, ordered)


def _csv_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        _require_columns(path, reader.fieldnames or ())
        for cells in reader:
            yield reader.line_num, cells


def _parquet_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    # Arrow takes long to import, and most recordings are CSV.
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    _require_columns(path, table.column_names)
    line = 0
    for batch in table.to_batches():
        for cells in batch.to_pylist():
            line += 1
            yield line, cells


def _require_columns(path: Path, found: object) -> None:
    names = list(found) if isinstance(found, (list, tuple)) else []
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise ConfigurationError(
            f"{path}: column {missing[0]} is missing; the first line names "
            f"{', '.join(map(str, names)) or 'nothing'}"
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of one file, for messages that say where."""

    path: Path
    number: int
    cells: Cells

    def bar(self, timeframe: Timeframe) -> RecordedBar:
        bar = RecordedBar(
            open_ms=self._open_ms(timeframe),
            open=self._price("open"),
            high=self._price("high"),
            low=self._price("low"),
            close=self._price("close"),
            volume=self._amount("volume") or 0,
            quote_volume=self._amount("quote_volume"),
            trades=self._count("trades"),
            taker_base_volume=self._amount("taker_base_volume"),
            taker_quote_volume=self._amount("taker_quote_volume"),
        )
        if bar.high < bar.low:
            low = self.cells.get("low")
            raise self._error("high", f"at least the low {low}", self.cells["high"])
        for name, price in (("open", bar.open), ("close", bar.close)):
            if not bar.low <= price <= bar.high:
                raise self._error(name, "between low and high", self.cells[name])
        return bar

    def _open_ms(self, timeframe: Timeframe) -> int:
        value = self.cells.get("open_time")
        moment = _find_ms(value)
        if moment is None:
            raise self._error("open_time", "ISO 8601 or epoch milliseconds", value)
        if grid.floor(moment, timeframe) != moment:
            raise self._error("open_time", f"on the {timeframe} grid", value)
        return moment

    def _price(self, name: str) -> int:
        price = self._number(name)
        if price is None or price <= 0:
            raise self._error(name, "a number above 0", self.cells.get(name))
        return price

    def _amount(self, name: str) -> int | None:
        amount = self._number(name)
        if amount is not None and amount < 0:
            raise self._error(name, "at least 0", self.cells.get(name))
        if amount is None and name in REQUIRED_COLUMNS:
            raise self._error(name, "a number", self.cells.get(name))
        return amount

    def _count(self, name: str) -> int | None:
        count = self._amount(name)
        return None if count is None else count // UNITS

    def _number(self, name: str) -> int | None:
        """The cell in units of 10^-8, None where it is empty or absent."""
        value = self.cells.get(name)
        if value is None or value == "":
            return None
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise self._error(name, "a number", value) from None
        # The bound also keeps an exponent from asking for a number of that length.
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
            raise self._error(name, f"below 10^{_MOST_DIGITS}", value)
        return int(number.scaleb(PLACES).to_integral_value())

    def _error(self, name: str, bound: str, value: object) -> ConfigurationError:
        return ConfigurationError(
            f"{self.path} line {self.number}: {name} must be {bound}, got {value!s}"
        )


def _find_ms(value: object) -> int | None:
    """Epoch milliseconds of an ISO text, a datetime or a count of milliseconds."""
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.isdigit():
            value = int(text[:20])
        else:
            try:
                value = datetime.fromisoformat(text)
            except ValueError:
                return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=timezone.utc)
        return grid.to_ms(value)
    if isinstance(value, int) and _EARLIEST_MS <= value < _LATEST_MS:
        return value
    return None
