"""Packs rows into files laid out as an exchange's public archive is."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path

from app.domain.timeframe import Timeframe
from app.exchange.archives.layout import (
    ArchiveFile,
    ArchiveKind,
    ArchivePeriod,
)

# Open time, then open, high, low, close and volume as text.
Row = tuple[datetime, Sequence[str]]

HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)


def kline(row: Row, timeframe: Timeframe, per_second: int = 1000) -> str:
    """A line of a klines file; `per_second` is the unit of its times."""
    open_at, cells = row
    opened = round(open_at.timestamp()) * per_second
    closed = round(timeframe.close_of(open_at).timestamp()) * per_second - 1
    return f"{opened},{','.join(cells)},{closed},0,0,0,0,0"


def write_zip(path: Path, lines: Iterable[str], with_checksum: bool = True) -> Path:
    """A zip of one CSV, with its CHECKSUM beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        text = "".join(f"{line}\n" for line in lines)
        archive.writestr(path.name.removesuffix(".zip") + ".csv", text)
    if with_checksum:
        write_checksum(path)
    return path


def write_checksum(path: Path, digest: str | None = None) -> None:
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")


def pack_klines(
    root: Path,
    symbol: str,
    timeframe: Timeframe,
    rows: Iterable[Row],
    period: ArchivePeriod = ArchivePeriod.MONTHLY,
) -> list[ArchiveFile]:
    """Klines files of `rows` (ascending); from 2025 on in microseconds."""

    def start_of(row: Row) -> datetime:
        is_monthly = period is ArchivePeriod.MONTHLY
        return (Timeframe.MN1 if is_monthly else Timeframe.D1).floor(row[0])

    files = []
    for start, group in groupby(rows, key=start_of):
        file = ArchiveFile(ArchiveKind.KLINES, period, symbol, start, timeframe)
        per_second = 1_000_000 if start.year >= 2025 else 1000
        lines = [kline(row, timeframe, per_second) for row in group]
        write_zip(root / file.path, lines)
        files.append(file)
    return files


def recorded_rows(path: Path) -> list[Row]:
    """Rows of a recorded series, `.csv.gz` with ISO open times, text as written."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        lines = stream.read().splitlines()[1:]
    rows = []
    for line in lines:
        opened, *cells = line.split(",")
        moment = datetime.fromisoformat(opened).astimezone(timezone.utc)
        rows.append((moment, cells[:5]))
    return rows
