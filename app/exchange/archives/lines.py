"""Whole lines of a byte stream, block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from app.core.exceptions import BadData

BLOCK_BYTES = 4 << 20
_LONGEST_LINE = 64 << 10


class ByteStream(Protocol):
    """The part of a file that is read."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive whole lines; `first_line` counts from 1.

    `is_cut` tells that the last of them, and of the file, has no line end: whether it
    is whole cannot be known.
    """

    data: bytes
    first_line: int
    is_cut: bool = False

    def lines(self) -> list[bytes]:
        """The lines without their ends; a lone carriage return ends none."""
        return [line.removesuffix(b"\r") for line in self.data.split(b"\n")[:-1]]

    @property
    def is_plain(self) -> bool:
        """Whether every reader of CSV sees the same lines and cells here."""
        data = self.data
        return b'"' not in data and data.count(b"\r") == data.count(b"\r\n")


def read_blocks(stream: ByteStream, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Blocks of about `block_bytes`; BadData for a line of over 64 KiB."""
    rest, line = b"", 1
    while piece := stream.read(block_bytes):
        data = rest + piece
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if end:
            yield Block(data[:end], line)
            line += data.count(b"\n", 0, end)
        if len(rest) > _LONGEST_LINE:
            raise BadData(f"line {line} is longer than {_LONGEST_LINE} bytes")
    if rest:
        yield Block(rest + b"\n", line, is_cut=True)
