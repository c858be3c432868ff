"""Reads files of single or aggregated trades, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.core.exceptions import BadData
from app.domain.rejection import RejectionRule
from app.exchange import numbers
from app.exchange.archives.bar_table import units_per_millisecond
from app.exchange.archives.files import open_csv
from app.exchange.archives.lines import BLOCK_BYTES, Block, read_blocks
from app.exchange.moments import EARLIEST_MS, LATEST_MS
from app.exchange.rejected import RejectedItem, reject

# Price in the quote currency, quantity in the base currency, microseconds since
# 1970-01-01 UTC; with `is_buyer_maker` the seller was the taker.
TRADE_DTYPE = np.dtype(
    [
        ("id", "<i8"),
        ("price", "<f8"),
        ("quantity", "<f8"),
        ("time_us", "<i8"),
        ("is_buyer_maker", "?"),
    ]
)
_MOST_REFUSED = 1_000
_TRUE, _FALSE = ("true", "1"), ("false", "0")


@dataclass(frozen=True, eq=False)
class TradeChunk:
    """Trades of a file in its order, as an array of `TRADE_DTYPE`.

    `refused_before` says of each refused row which of `trades` it stood before.
    """

    trades: npt.NDArray[np.void]
    refused: tuple[RejectedItem, ...] = ()
    refused_before: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Columns:
    """Position of id, price, quantity, time and is_buyer_maker in a line."""

    positions: tuple[int, int, int, int, int]

    @classmethod
    def of(cls, name: str) -> _Columns:
        # id, price, qty, first id, last id, time, maker, best | id, price, qty,
        # quote qty, time, maker, best
        return cls((0, 1, 2, 5, 6) if "-aggTrades-" in name else (0, 1, 2, 4, 5))


def read_trades(
    path: Path, symbol: str, block_bytes: int = BLOCK_BYTES
) -> Iterator[TradeChunk]:
    """The trades of a `trades` or `aggTrades` file (told by its name).

    Impossible rows are refused by name and left out. Raises BadData, naming the file,
    where it is broken or has over 1,000 impossible rows.
    """
    columns, units, refused = _Columns.of(path.name), None, 0
    try:
        with open_csv(path) as stream:
            for block in read_blocks(stream, block_bytes):
                if block.first_line == 1 and _is_header(block.data):
                    end = block.data.index(b"\n") + 1
                    block = Block(block.data[end:], 2, block.is_cut)
                table = _parse(block, columns)
                units = units or units_per_millisecond(table["time_us"].astype("f8"))
                chunk = _judge(table, block, units or 1, symbol)
                refused += len(chunk.refused)
                if refused > _MOST_REFUSED:
                    raise BadData(f"over {_MOST_REFUSED} rows are impossible")
                yield chunk
    except BadData as error:
        if path.name in str(error):
            raise
        raise BadData(f"{path.name}: {error}") from error


def _is_header(data: bytes) -> bool:
    """Whether the first line names columns; a damaged row is not one."""
    first = data.split(b"\n", 1)[0].split(b",", 1)[0].strip()
    return first.replace(b"_", b"").isalpha()


def _parse(block: Block, columns: _Columns) -> npt.NDArray[np.void]:
    """Rows as written, time in the file's unit; an unreadable one has no price."""
    table = np.empty(block.data.count(b"\n"), TRADE_DTYPE)
    if block.is_plain and _parse_fast(block.data, columns, table):
        return table
    for number, line in enumerate(block.lines()):
        table[number] = _parse_line(line, columns.positions)
    return table


def _parse_fast(data: bytes, columns: _Columns, table: npt.NDArray[np.void]) -> bool:
    import pyarrow
    import pyarrow.csv

    names = [f"f{position}" for position in columns.positions]
    whole, number = pyarrow.int64(), pyarrow.float64()
    types = [whole, number, number, whole, pyarrow.bool_()]
    try:
        parsed = pyarrow.csv.read_csv(
            pyarrow.BufferReader(data),
            pyarrow.csv.ReadOptions(
                use_threads=False,
                block_size=len(data) + 1,
                autogenerate_column_names=True,
            ),
            pyarrow.csv.ParseOptions(ignore_empty_lines=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict(zip(names, types, strict=True)),
                include_columns=names,
                null_values=[""],
            ),
        )
    except (pyarrow.ArrowException, KeyError):
        return False
    has_nulls = any(column.null_count for column in parsed.columns)
    if len(parsed) != len(table) or has_nulls:
        return False
    for column, name in zip(parsed.columns, TRADE_DTYPE.names or (), strict=True):
        table[name] = column.to_numpy()
    return True


def _parse_line(
    line: bytes, positions: tuple[int, ...]
) -> tuple[int, float, float, int, bool]:
    cells = line.decode("utf-8", "replace").split(",")
    try:
        key, price, quantity, time, maker = (cells[p].strip(" ") for p in positions)
        if maker.lower() not in _TRUE + _FALSE or not line.isascii():
            raise ValueError(maker)
        # int takes 1_0 for 10, and overlooks control characters.
        if not (key + time).isdigit():
            raise ValueError(key)
        row = (
            int(key),
            numbers.from_text(price),
            numbers.from_text(quantity),
            int(time),
        )
        if max(row[0], row[3]) >= 2**63:
            raise ValueError(key)
        return (*row, maker.lower() in _TRUE)
    except (ValueError, IndexError, UnicodeDecodeError):
        return (-1, float("nan"), float("nan"), 0, False)


def _judge(
    table: npt.NDArray[np.void], block: Block, units: int, symbol: str
) -> TradeChunk:
    per_ms = 1000 // units  # microseconds in one unit of the file
    in_range = (table["time_us"] >= EARLIEST_MS * units) & (
        table["time_us"] < LATEST_MS * units
    )
    good = in_range & (table["id"] >= 0)
    for name in ("price", "quantity"):
        good &= np.isfinite(table[name]) & (table[name] > 0)
    lines = block.lines() if not good.all() else []
    refused = tuple(
        reject(
            symbol,
            "trade",
            RejectionRule.ITEM_IMPOSSIBLE,
            lines[index].decode("utf-8", "backslashreplace"),
        )
        for index in np.flatnonzero(~good).tolist()
    )
    trades = table[good]
    trades["time_us"] *= per_ms
    before = np.cumsum(good)[~good].tolist()
    return TradeChunk(trades, refused, tuple(before))
