"""Blocks of CSV lines into columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from app.core.exceptions import BadData
from app.exchange import numbers
from app.exchange.archives.lines import Block
from app.exchange.archives.recorded_names import REQUIRED_COLUMNS
from app.exchange.moments import EARLIEST_MS, LATEST_MS

Table = npt.NDArray[np.float64]
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """Which cells of a line are open time, open, high, low, close and volume.

    Archives have no header line and hold them first; newer ones, and recordings, may
    name their columns.
    """

    columns: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    has_header: bool = False

    @classmethod
    def of(cls, block: Block) -> CsvLayout:
        """The layout that the first line of a file tells.

        Raises BadData where it names columns but not every needed one.
        """
        first = block.data.split(b"\n", 1)[0].removeprefix(_BOM)
        cells = [cell.strip() for cell in first.decode("utf-8", "replace").split(",")]
        names = [cell.strip('"').lower().replace(" ", "_") for cell in cells]
        missing = [name for name in REQUIRED_COLUMNS if name not in names]
        # A table written with its row numbers names the columns after a blank one.
        if missing and not names[0].replace("_", "").isalpha():
            return cls()
        if missing:
            raise BadData(
                f"column {missing[0]} is missing; the first line names "
                f"{', '.join(names)[:200]}"
            )
        return cls(tuple(names.index(name) for name in REQUIRED_COLUMNS), True)


def without_first_line(block: Block) -> Block:
    """`block` without its first line."""
    end = block.data.index(b"\n") + 1
    return Block(block.data[end:], block.first_line + 1, block.is_cut)


def parse_table(block: Block, layout: CsvLayout) -> Table:
    """(lines, 6) float64, one row a line: open time as written, prices, volume.

    An open time in ISO 8601 (UTC where it names no zone) becomes epoch milliseconds.
    A cell that is no number is NaN.
    """
    if not block.data:
        return np.empty((0, 6))
    lines = block.data.count(b"\n")
    table = _parse_fast(block.data, layout) if block.is_plain else None
    if table is None or len(table) != lines:
        rows = [_parse_line(line, layout.columns) for line in block.lines()]
        table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return table


def units_per_millisecond(opens: npt.NDArray[np.float64]) -> int | None:
    """1, or 1,000 where the first believable open time is in microseconds.

    Spot archives are in microseconds from 1 January 2025 on, older ones in
    milliseconds; no file mixes them. None where no open time is either.
    """
    with np.errstate(invalid="ignore"):
        is_ms = (opens >= EARLIEST_MS) & (opens < LATEST_MS)
        is_us = (opens >= EARLIEST_MS * 1000) & (opens < LATEST_MS * 1000)
    known = np.flatnonzero(is_ms | is_us)
    if not len(known):
        return None
    return 1 if is_ms[known[0]] else 1000


def _parse_fast(data: bytes, layout: CsvLayout) -> Table | None:
    """As `parse_table`, through Arrow; None where a cell is not what it should be."""
    # Arrow takes long to import, and only back-fills need it here.
    import pyarrow
    import pyarrow.csv

    names = [f"f{column}" for column in layout.columns]
    time_type = _time_type(data, layout.columns[0])
    types = dict.fromkeys(names, pyarrow.float64())
    types[names[0]] = time_type
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(data),
            pyarrow.csv.ReadOptions(
                use_threads=False,
                block_size=len(data) + 1,
                autogenerate_column_names=True,
            ),
            pyarrow.csv.ParseOptions(ignore_empty_lines=False),
            pyarrow.csv.ConvertOptions(
                column_types=types, include_columns=names, null_values=[""]
            ),
        )
    except (pyarrow.ArrowException, KeyError):
        return None
    opens = table.column(0)
    if time_type != pyarrow.float64():
        if opens.null_count:
            return None
        opens = opens.cast(pyarrow.int64())
    columns = np.empty((len(table), 6))
    columns[:, 0] = opens.to_numpy()
    if time_type != pyarrow.float64():
        columns[:, 0] /= 1000.0
    for number in range(1, 6):
        columns[:, number] = table.column(number).to_numpy()
    return columns


def _time_type(data: bytes, column: int) -> Any:
    import pyarrow

    cells = data.split(b"\n", 1)[0].split(b",")
    text = cells[column].strip() if column < len(cells) else b""
    if not text[:1].isdigit() or b"-" not in text:
        return pyarrow.float64()
    has_zone = text.endswith(b"Z") or b"+" in text or text.count(b"-") > 2
    return pyarrow.timestamp("us", "UTC" if has_zone else None)


def _parse_line(line: bytes, columns: Sequence[int]) -> list[float]:
    cells = line.decode("utf-8", "replace").split(",")
    # Blanks alone: `strip()` takes control characters away as well.
    texts = [cells[c].strip(" ").strip('"') if c < len(cells) else "" for c in columns]
    return [_moment(texts[0]), *(_number(text) for text in texts[1:])]


def _number(text: str) -> float:
    try:
        return numbers.from_text(text)
    except ValueError:
        return math.nan


def _moment(text: str) -> float:
    number = _number(text)
    if not math.isnan(number):
        return number
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp() * 1000
