"""Reads one file of bars: closed, possible, ascending; the rest is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.core.exceptions import BadData
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.archives.bar_table import (
    CsvLayout,
    Table,
    parse_table,
    units_per_millisecond,
    without_first_line,
)
from app.exchange.archives.files import open_csv, promises_whole_lines
from app.exchange.archives.lines import BLOCK_BYTES, Block, read_blocks
from app.exchange.bar_rules import Bools, broken_rules, find_duplicates, rejected_bar
from app.exchange.moments import milliseconds_of
from app.exchange.rejected import RejectedItem

# A file with more is not of this layout; its rows would only flood the quarantine.
MOST_REFUSED = 1_000


@dataclass(frozen=True, slots=True)
class BarFile:
    """A file of one series; `symbol` is the unified one, for messages.

    Bars outside [starts_at, ends_at), where given, do not belong into it. `clock` says
    by whose time bars are closed.
    """

    path: Path
    symbol: str
    timeframe: Timeframe
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    clock: str = "the exchange's clock"


class TooManyRefused(BadData):
    """A file refused as a whole; `refused` has its first 1,000 impossible rows."""

    def __init__(self, message: str, refused: Sequence[RejectedItem]) -> None:
        super().__init__(message)
        self.refused = tuple(refused)


@dataclass(frozen=True, eq=False)
class BarChunk:
    """Bars of a file, ascending and after those of the chunk before.

    `open_ms` (n,) int64 holds open times in epoch milliseconds, `values` (n, 5)
    float64 holds open, high, low, close, volume.
    """

    open_ms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    refused: tuple[RejectedItem, ...] = ()

    def __len__(self) -> int:
        return len(self.open_ms)


def read_bars(
    file: BarFile, server_now: datetime, block_bytes: int = BLOCK_BYTES
) -> Iterator[BarChunk]:
    """The bars of `file` that are closed at `server_now`, chunk by chunk.

    Raises BadData, naming the file, where it is broken, has other columns or does not
    ascend; TooManyRefused where it holds over 1,000 impossible rows. What was yielded
    before is sound, but whoever stores a file whole or not at all collects the chunks
    first.
    """
    reader = _Reader(file, server_now)
    try:
        with open_csv(file.path) as stream:
            for block in read_blocks(stream, block_bytes):
                yield reader.read(block)
    except BadData as error:
        if file.path.name in str(error):
            raise
        if isinstance(error, TooManyRefused):
            raise TooManyRefused(f"{file.path.name}: {error}", error.refused) from error
        raise BadData(f"{file.path.name}: {error}") from error


class _Reader:
    """What is known of a file from its earlier blocks."""

    def __init__(self, file: BarFile, server_now: datetime) -> None:
        self._file = file
        self._server_now = server_now
        self._stop_ms = milliseconds_of(file.timeframe.floor(server_now))
        self._layout: CsvLayout | None = None
        self._units: int | None = None
        self._last_ms = -1
        self._refused: list[RejectedItem] = []

    def read(self, block: Block) -> BarChunk:
        """The bars of the next block."""
        layout = self._layout or CsvLayout.of(block)
        if self._layout is None and layout.has_header:
            block = without_first_line(block)
        self._layout = layout
        table = parse_table(block, layout)
        self._units = self._units or units_per_millisecond(table[:, 0])
        table[:, 0] /= self._units or 1
        bad, refused = self._judge(table, block)
        good = table[~bad & ~(table[:, 0] >= self._stop_ms)]
        return self._chunk(good, refused)

    def _judge(self, table: Table, block: Block) -> tuple[Bools, list[RejectedItem]]:
        opens, timeframe = table[:, 0], self._file.timeframe
        rules = broken_rules(table, timeframe, self._server_now)
        with np.errstate(invalid="ignore"):
            rules.append((RejectionRule.OUTSIDE_FILE_PERIOD, self._out(opens)))
            again = opens <= self._last_ms
            rules.append((RejectionRule.FILE_NOT_ASCENDING, again))
        is_cut = block.is_cut and not promises_whole_lines(self._file.path)
        if is_cut and len(table):
            cut = np.zeros(len(table), dtype=bool)
            cut[-1] = True
            rules.append((RejectionRule.FILE_LINE_CUT, cut))
        if len(table) and again.all():
            raise BadData(
                f"lines from {block.first_line} on open before those above them; "
                "sort the file by open time"
            )
        bad = np.zeros(len(table), dtype=bool)
        found: list[tuple[int, RejectionRule]] = []
        for rule, broken in rules:
            found += [(n, rule) for n in np.flatnonzero(broken & ~bad).tolist()]
            bad |= broken
        # Two possible rows of one slot: the later counts, as in a reply.
        again_at = self._contradicted(table, bad)
        bad[again_at] = True
        found += [(n, RejectionRule.CONTRADICTS_LATER_ROW) for n in again_at.tolist()]
        found.sort()
        room = MOST_REFUSED - len(self._refused)
        lines = block.lines() if found else []
        refused = [
            self._refuse(rule, lines[index], table[index].tolist())
            for index, rule in found[: room + 1]
        ]
        if len(refused) > room:
            raise self._too_many(refused[-1], [*self._refused, *refused[:-1]])
        self._refused += refused
        return bad, refused

    def _contradicted(self, table: Table, bad: Bools) -> npt.NDArray[np.int64]:
        """Possible rows that a later possible row of their slot does not agree with."""
        order = np.flatnonzero(~bad & ~(table[:, 0] >= self._stop_ms))
        opens = table[order, 0]
        if (np.diff(opens) > 0).all():
            return order[:0]
        order = order[np.argsort(opens, kind="stable")]
        _, contradicts = find_duplicates(table[order])
        return order[contradicts]

    def _out(self, opens: npt.NDArray[np.float64]) -> Bools:
        file, out = self._file, np.zeros(len(opens), dtype=bool)
        if file.starts_at is not None:
            out |= opens < milliseconds_of(file.starts_at)
        if file.ends_at is not None:
            out |= opens >= milliseconds_of(file.ends_at)
        return out

    def _too_many(self, last: RejectedItem, kept: list[RejectedItem]) -> TooManyRefused:
        opened = last.occurred_at
        when = "no time" if opened is None else opened.isoformat()
        return TooManyRefused(
            f"over {MOST_REFUSED} rows are impossible (the last, of {when}: "
            f"{last.reason}; {self._file.clock} says "
            f"{self._server_now.isoformat()}); the file is refused as a whole",
            kept,
        )

    def _refuse(
        self, rule: RejectionRule, line: bytes, cells: list[float]
    ) -> RejectedItem:
        file, raw = self._file, line.decode("utf-8", "backslashreplace")
        return rejected_bar(
            file.symbol, file.timeframe, rule, raw, cells, self._server_now
        )

    def _chunk(self, good: Table, refused: list[RejectedItem]) -> BarChunk:
        opens = good[:, 0].astype(np.int64)
        if (np.diff(opens) <= 0).any():
            order = np.argsort(opens, kind="stable")
            opens, good = opens[order], good[order]
            last = np.append(opens[1:] != opens[:-1], True)
            opens, good = opens[last], good[last]
        if len(opens):
            self._last_ms = int(opens[-1])
        return BarChunk(opens, np.ascontiguousarray(good[:, 1:]), tuple(refused))
