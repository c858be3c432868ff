"""Names and check sums are those of the published archive."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from app.exchange.archives.checksum import ChecksumMismatch, parse_checksum
from app.exchange.archives.layout import (
    ArchiveFile,
    ArchiveKind,
    ArchivePeriod,
    day_files,
    month_file,
)
from app.exchange.archives.source import FolderArchives
from tests.exchange.archives.packing import write_checksum, write_zip

JANUARY = datetime(2019, 1, 1, tzinfo=timezone.utc)
FILE = month_file("BNBUSDT", JANUARY, Timeframe.M1)


@pytest.mark.parametrize(
    ("file", "path"),
    [
        (
            FILE,  # the README's own example
            "data/spot/monthly/klines/BNBUSDT/1m/BNBUSDT-1m-2019-01.zip",
        ),
        (
            month_file("BNBUSDT", JANUARY, None, ArchiveKind.TRADES),
            "data/spot/monthly/trades/BNBUSDT/BNBUSDT-trades-2019-01.zip",
        ),
        (
            ArchiveFile(
                ArchiveKind.KLINES,
                ArchivePeriod.DAILY,
                "BTCUSDT",
                JANUARY.replace(day=31),
                Timeframe.MN1,
            ),
            "data/spot/daily/klines/BTCUSDT/1mo/BTCUSDT-1mo-2019-01-31.zip",
        ),
    ],
)
def test_a_file_is_where_the_archive_keeps_it(file: ArchiveFile, path: str) -> None:
    assert file.path == path


def test_the_days_of_a_month_cover_it() -> None:
    days = day_files(FILE)
    assert len(days) == 31
    assert (days[0].starts_at, days[-1].ends_at) == (FILE.starts_at, FILE.ends_at)


@pytest.mark.parametrize("symbol", ["../x", "A/B", "", "A.B", "A" * 61, "A\\B"])
def test_a_symbol_never_leads_out_of_the_folder(symbol: str) -> None:
    with pytest.raises(BadData):
        month_file(symbol, JANUARY, Timeframe.M1)


def test_a_checksum_names_its_file() -> None:
    digest = "AB" * 32
    assert parse_checksum(f"{digest}  x.zip\n", "x.zip") == digest.lower()
    for text in ("", "x.zip", f"{digest}  y.zip", f"{digest[:-1]}  x.zip"):
        with pytest.raises(BadData, match="x.zip"):
            parse_checksum(text, "x.zip")


async def test_a_file_with_another_checksum_is_refused_with_both(
    tmp_path: Path,
) -> None:
    path = write_zip(tmp_path / FILE.path, ["1,2"])
    write_checksum(path, "0" * 64)
    with pytest.raises(ChecksumMismatch, match="SHA-256 is [0-9a-f]{64}.*0{64}"):
        await FolderArchives(tmp_path).find(FILE)
    assert path.exists()


async def test_a_file_without_a_checksum_needs_consent(tmp_path: Path) -> None:
    path = write_zip(tmp_path / FILE.name, ["1,2"], with_checksum=False)
    with pytest.raises(BadData, match="--unverified"):
        await FolderArchives(tmp_path).find(FILE)
    assert await FolderArchives(tmp_path, True).find(FILE) == path
    assert await FolderArchives(tmp_path / "none").find(FILE) is None
