"""PostgreSQL's binary COPY format as numpy structured arrays.

With every column NOT NULL and of fixed width, all tuples of the format have one
layout: a field count, then length and big-endian value of each field. One structured
array of that layout is the stream, apart from its header and trailer, so rows never
become Python objects. Source: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

# Microseconds from the Unix epoch to PostgreSQL's, 2000-01-01.
PG_EPOCH_US = 946_684_800_000_000

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_READ_BYTES = 256 * 1024

INT4 = ">i4"
FLOAT8 = ">f8"
TIMESTAMPTZ = ">i8"


def label(text: str) -> str:
    """Type of an enum column that holds the label `text` (sent as bytes)."""
    return f"S{len(text.encode())}"


def tuple_dtype(fields: Sequence[tuple[str, str]]) -> np.dtype[np.void]:
    """Layout of one tuple whose columns have these (name, type)."""
    layout: list[tuple[str, str]] = [("field_count", ">i2")]
    for name, kind in fields:
        layout += [(f"{name}_bytes", ">i4"), (name, kind)]
    return np.dtype(layout)


def blank_tuples(fields: Sequence[tuple[str, str]], rows: int) -> NDArray[np.void]:
    """`rows` tuples with counts and lengths set and the values still to be filled."""
    dtype = tuple_dtype(fields)
    tuples = np.empty(rows, dtype)
    tuples["field_count"] = len(fields)
    for name, kind in fields:
        tuples[f"{name}_bytes"] = np.dtype(kind).itemsize
    return tuples


def encode(chunks: Iterable[NDArray[np.void]]) -> Iterator[bytes]:
    """The stream that COPY ... FROM STDIN (FORMAT binary) reads, piece by piece."""
    yield _HEADER
    for chunk in chunks:
        yield chunk.tobytes()
    yield _TRAILER


def decode(stream: bytes, fields: Sequence[tuple[str, str]]) -> NDArray[np.void]:
    """Tuples of a COPY ... TO STDOUT (FORMAT binary) stream, without copying it.

    Raises ValueError if the stream holds anything but tuples of this layout (a NULL
    makes one shorter).
    """
    dtype = tuple_dtype(fields)
    size = len(stream) - len(_HEADER) - len(_TRAILER)
    if size < 0 or size % dtype.itemsize or not stream.endswith(_TRAILER):
        raise ValueError(
            f"binary COPY of {len(stream)} bytes is no run of "
            f"{dtype.itemsize}-byte tuples"
        )
    tuples = np.frombuffer(stream, dtype, size // dtype.itemsize, len(_HEADER))
    if not (tuples["field_count"] == len(fields)).all():
        raise ValueError(f"binary COPY has tuples of other than {len(fields)} fields")
    return tuples


def copy_out(
    session: Session,
    query: str,
    parameters: Sequence[Any],
    fields: Sequence[tuple[str, str]],
    planner: Mapping[str, str] = MappingProxyType({}),
) -> NDArray[np.void]:
    """Rows of `query` (`%s` placeholders) as tuples with these (name, type).

    `planner` holds settings (trusted names and values) for this query alone.
    """
    cursor = session.connection().connection.cursor()
    try:
        # COPY takes no parameters, so the driver quotes them into the text.
        select = cursor.mogrify(query, parameters).decode()
        sink = io.BytesIO()
        copy = f"COPY ({select}) TO STDOUT (FORMAT binary)"
        # One message: a round trip costs more than most of these queries.
        before = "".join(f"SET LOCAL {k} TO {v};" for k, v in planner.items())
        after = "".join(f";SET LOCAL {k} TO DEFAULT" for k in planner)
        cursor.copy_expert(before + copy + after, sink, _READ_BYTES)
    finally:
        cursor.close()
    return decode(sink.getvalue(), fields)


def copy_in(
    session: Session,
    table: str,
    columns: Sequence[str],
    chunks: Iterable[NDArray[np.void]],
) -> int:
    """Append tuples to `table` (names are trusted); how many rows went in."""
    cursor = session.connection().connection.cursor()
    try:
        cursor.copy_expert(
            f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)",
            _PieceReader(encode(chunks)),
            _READ_BYTES,
        )
        return int(cursor.rowcount)
    finally:
        cursor.close()


class _PieceReader:
    """A readable file over pieces of bytes, so that no whole stream is built."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)
