"""Damaged archive files: written, read by the product, judged from their text."""

from __future__ import annotations

import atexit
import gzip
import io
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from app.exchange.archives.bar_file import BarChunk, BarFile, read_bars
from app.exchange.archives.trades import TradeChunk, read_trades
from tests.fuzz.cases import Case
from tests.fuzz.corpus import Kind
from tests.fuzz.judge_bars import Window, objection
from tests.fuzz.reading import number

_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


def read_file(case: Case) -> list[BarChunk] | list[TradeChunk]:
    """What the product makes of the case's file."""
    subject = case.subject
    path = _folder() / subject.path
    content = _packed(subject.path, case.reply.body)
    if case.reply.is_cut:
        content = content[: len(content) // 2]
    path.write_bytes(content)
    if subject.kind is Kind.TRADE_FILE:
        return list(read_trades(path, subject.symbol))
    file = BarFile(path, subject.symbol, subject.timeframe)
    return list(read_bars(file, subject.now))


@cache
def _folder() -> Path:
    """A folder of this process, in memory where there is such a place."""
    memory = Path("/dev/shm")
    where = str(memory) if memory.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{os.getpid()}-", dir=where))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _packed(name: str, text: bytes) -> bytes:
    if name.endswith(".zip"):
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as archive:
            archive.writestr(name.removesuffix(".zip") + ".csv", text)
        return memory.getvalue()
    return gzip.compress(text, 1) if name.endswith(".gz") else text


def judge_file(case: Case, chunks: Sequence[Any]) -> Iterator[str]:
    """Complaints: each row that came out must stand in the text, and be possible."""
    text = case.reply.body
    if case.reply.is_cut and case.subject.path.endswith((".zip", ".gz")):
        yield "a file cut in half was read"
        return
    if case.reply.is_cut:
        text = text[: len(text) // 2]
    lines = [
        line.removesuffix("\r") for line in text.decode("utf-8", "replace").split("\n")
    ]
    refused = [item for chunk in chunks for item in chunk.refused]
    raws = set(
        text.replace(b"\x00", b"\\u0000")
        .decode("utf-8", "backslashreplace")
        .split("\n")
    )
    for item in refused:
        raw = item.raw
        if "[cut: " not in raw and raw not in raws and raw + "\r" not in raws:
            yield f"refused {raw!r:.120} is no line of the file"
    if case.subject.kind is Kind.TRADE_FILE:
        yield from _trades(lines, chunks)
    else:
        yield from _bars(case, lines, chunks)


def _bars(case: Case, lines: list[str], chunks: Sequence[BarChunk]) -> Iterator[str]:
    subject = case.subject
    window = Window(subject.timeframe, 0, subject.now.timestamp() * 1000)
    columns = _columns(lines[0])
    said = {bar for line in lines for bar in _readings(line, columns)}
    last = -1.0
    for chunk in chunks:
        for ms, values in zip(
            chunk.open_ms.tolist(), chunk.values.tolist(), strict=True
        ):
            bar = (float(ms), *values)
            why = objection(bar, subject.timeframe)
            if why is not None:
                yield f"bad bar {bar}: {why}"
            if bar not in said:
                yield f"bar {bar} is not in the file"
            if not window.holds(bar[0]):
                yield f"bar {bar} is not closed"
            if bar[0] <= last:
                yield f"bar {bar} does not ascend"
            last = bar[0]


def _columns(first: str) -> tuple[int, ...]:
    names = [
        cell.strip().strip('"').lower()
        for cell in first.removeprefix("\ufeff").split(",")
    ]
    if all(name in names for name in _COLUMNS):
        return tuple(names.index(name) for name in _COLUMNS)
    return tuple(range(6))


def _readings(line: str, columns: tuple[int, ...]) -> Iterator[tuple[float, ...]]:
    cells = [cell.strip().strip('"') for cell in line.removeprefix("\ufeff").split(",")]
    texts = [cells[at] if at < len(cells) else "" for at in columns]
    opened, *rest = (number(text)[0] for text in texts)
    if math.isnan(opened):
        try:
            moment = datetime.fromisoformat(texts[0])
        except ValueError:
            return
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        opened = moment.timestamp() * 1000
    yield (opened, *rest)
    yield (opened / 1000, *rest)  # microseconds


def _trades(lines: list[str], chunks: Sequence[TradeChunk]) -> Iterator[str]:
    said = set()
    for line in lines:
        cells = line.removeprefix("\ufeff").strip().split(",")
        if len(cells) >= 7:
            key, price, amount, at = (number(cells[n])[0] for n in (0, 1, 2, 5))
            said |= {(key, price, amount, at * 1000), (key, price, amount, at)}
    sent = len(lines) - (lines[-1] == "")
    has_header = lines[0].partition(",")[0].strip().replace("_", "").isalpha()
    accounted = sum(len(chunk.trades) + len(chunk.refused) for chunk in chunks)
    if chunks and accounted + has_header != sent:
        yield f"{sent} lines were written, {accounted} are accounted for"
    for chunk in chunks:
        for key, price, amount, at, _ in chunk.trades.tolist():
            if (float(key), price, amount, at) not in said:
                yield f"trade {key, price, amount, at} is not in the file"
            if not (0 < price < math.inf and 0 < amount < math.inf):
                yield f"impossible trade {key, price, amount, at}"
            if not 1_230_768_000_000_000 <= at < 4_102_444_800_000_000:
                yield f"trade {key, price, amount, at} has an impossible time"
