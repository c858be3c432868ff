"""Downloads resume, are verified, and never leave a torn file under its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from app.core.clock import ManualClock
from app.core.exceptions import BadData, ExchangeUnavailable, RateLimited
from app.domain.timeframe import Timeframe
from app.exchange.archives import download
from app.exchange.archives.checksum import ChecksumMismatch
from app.exchange.archives.download import UrlArchives
from app.exchange.archives.layout import ArchiveKind, month_file
from tests.exchange.archives.archive_server import ArchiveServer, serving
from tests.exchange.archives.packing import write_checksum, write_zip
from tests.processes.stack import free_port

START = datetime(2024, 1, 1, tzinfo=timezone.utc)
FILE = month_file("BTCUSDT", START, Timeframe.H1)
LINES = [f"{number},{number * 7919 % 10007}" for number in range(20_000)]


class Setting:
    """An archive of one file behind a server, and a client with an empty cache."""

    def __init__(self, server: ArchiveServer, folder: Path) -> None:
        self.server, self.cache = server, folder / "cache"
        self.published = server.root / FILE.path
        write_zip(self.published, LINES)
        self.clock = ManualClock(START)
        self.archives = UrlArchives(server.url, self.cache, self.clock)

    @property
    def kept(self) -> list[str]:
        files = (path.name for path in self.cache.rglob("*") if path.is_file())
        return sorted(files)


@asynccontextmanager
async def setting(folder: Path) -> AsyncIterator[Setting]:
    async with serving(folder / "published") as server:
        found = Setting(server, folder)
        async with found.archives:
            yield found


async def test_a_file_is_fetched_once_and_then_only_its_checksum(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as s:
        for _ in range(2):
            path = await s.archives.find(FILE)
            assert path is not None
            assert path.read_bytes() == s.published.read_bytes()
        assert s.server.asked(FILE.name) == [("", 200)]
        assert s.kept == [FILE.name, f"{FILE.name}.CHECKSUM"]


async def test_a_file_corrected_by_the_archive_is_fetched_anew(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        await s.archives.find(FILE)
        write_zip(s.published, LINES[::-1])
        path = await s.archives.find(FILE)
        assert path is not None and path.read_bytes() == s.published.read_bytes()


async def test_a_download_that_is_cut_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.server.faults[FILE.name].extend(["reset", 503, "reset"])
        path = await s.archives.find(FILE)
        assert path is not None and path.read_bytes() == s.published.read_bytes()
        asked = s.server.asked(FILE.name)
        assert [status for _, status in asked] == [200, 503, 206, 206]
        starts = [int(span[6:-1]) for span, _ in asked[1:]]
        assert 0 < starts[0] == starts[1] < starts[2]
        assert s.kept == [FILE.name, f"{FILE.name}.CHECKSUM"]


async def test_a_server_that_knows_no_ranges_is_coped_with(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.server.faults[FILE.name].extend(["reset", "ignore-range"])
        path = await s.archives.find(FILE)
        assert path is not None and path.read_bytes() == s.published.read_bytes()


async def test_half_of_an_earlier_version_is_thrown_away(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        part = s.cache / f"{FILE.path}.part"
        part.parent.mkdir(parents=True)
        for begun in (b"of another version", s.published.read_bytes() + b"longer"):
            part.write_bytes(begun)
            path = await s.archives.find(FILE)
            assert path is not None and path.read_bytes() == s.published.read_bytes()
            path.unlink()


async def test_a_file_unlike_its_checksum_is_refused_and_kept_aside(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as s:
        write_checksum(s.published, "0" * 64)
        with pytest.raises(ChecksumMismatch, match="published one is 0{64}"):
            await s.archives.find(FILE)
        assert f"{FILE.name}.refused" in s.kept and FILE.name not in s.kept
        aside = s.cache / f"{FILE.path}.refused"
        assert aside.read_bytes() == s.published.read_bytes()


async def test_a_file_cut_short_on_the_server_is_refused(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.published.write_bytes(s.published.read_bytes()[:-100])
        with pytest.raises(ChecksumMismatch):
            await s.archives.find(FILE)


async def test_a_month_the_archive_lacks_is_none(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        other = month_file("BTCUSDT", FILE.ends_at, Timeframe.H1)
        assert await s.archives.find(other) is None
        assert not any(other.name in name for name in s.kept)


async def test_a_server_that_stays_down_is_given_up_after_pauses(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as s:
        s.server.faults[f"{FILE.name}.CHECKSUM"].extend([429] * 9)
        with pytest.raises(ExchangeUnavailable, match="status 429"):
            await s.archives.find(FILE)
        waited = (s.clock.now() - START).total_seconds()
        assert waited >= 6 * 7 + 1 + 2 + 4 + 8 + 16
        assert len(s.server.asked(f"{FILE.name}.CHECKSUM")) == 6


async def test_a_server_that_wants_a_long_pause_is_given_it(tmp_path: Path) -> None:
    async with setting(tmp_path) as s:
        s.server.retry_after = "3600"
        s.server.faults[f"{FILE.name}.CHECKSUM"].append(429)
        for _ in range(2):  # the second is not even sent
            with pytest.raises(RateLimited, match="until 2024-01-01 01:00:00") as told:
                await s.archives.find(FILE)
            assert told.value.retry_after_seconds == 3600
        assert len(s.server.requests) == 1
        await s.clock.sleep(3600)
        assert await s.archives.find(FILE) is not None


async def test_no_message_repeats_the_password_of_the_archive(tmp_path: Path) -> None:
    url = f"http://user:s3/cr@t@127.0.0.1:{free_port()}/mirror"
    async with UrlArchives(url, tmp_path, ManualClock(START)) as archives:
        with pytest.raises(ExchangeUnavailable) as raised:
            await archives.find(FILE)
    assert "http://user:***@127.0.0.1" in str(raised.value)
    assert "s3" not in str(raised.value)


async def test_a_body_without_end_is_not_read_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(download.MOST_BYTES, ArchiveKind.KLINES, 1_000)
    async with setting(tmp_path) as s:
        with pytest.raises(BadData, match="larger than 1000 bytes"):
            await s.archives.find(FILE)
