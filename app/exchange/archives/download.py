"""An archive behind a URL: downloads resume, and are believed once verified."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import structlog

from app.config.redaction import mask_urls
from app.core.clock import Clock
from app.core.exceptions import BadData, ExchangeUnavailable, FatalError, RateLimited
from app.exchange.archives.checksum import (
    SUFFIX,
    ChecksumMismatch,
    parse_checksum,
    sha256_of,
    verify,
)
from app.exchange.archives.layout import ArchiveFile, ArchiveKind
from app.exchange.errors import retry_after_seconds
from app.exchange.transport import open_session

log = structlog.get_logger(__name__)

# A month of one-minute bars is about 3 MB, a month of trades of a busy market 2 GB.
MOST_BYTES = {
    ArchiveKind.KLINES: 64 << 20,
    ArchiveKind.TRADES: 16 << 30,
    ArchiveKind.AGG_TRADES: 16 << 30,
}
_CHECKSUM_BYTES = 4096
_ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_SILENCE_SECONDS = 30.0
_CHUNK_BYTES = 1 << 18


class UrlArchives:
    """Files below `base_url`, kept under `cache` in the archive's own layout.

    The published checksum is asked for each time, so a file that the archive
    corrected later is fetched anew. Use with `async with`.
    """

    def __init__(self, base_url: str, cache: Path, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._cache = cache
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._closed_until: datetime | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(_CHECKSUM_BYTES, connections=2)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def find(self, file: ArchiveFile) -> Path | None:
        target = self._cache / file.path
        beside = target.with_name(target.name + SUFFIX)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not await self._fetch(file.path + SUFFIX, beside, _CHECKSUM_BYTES):
                return None
            expected = parse_checksum(beside.read_text("utf-8", "replace"), file.name)
            if target.is_file() and sha256_of(target) == expected:
                return target
            if not await self._download(file, target, expected):
                return None
        except OSError as error:
            raise FatalError(f"{target}: cannot be written: {error}") from error
        return target

    async def _download(self, file: ArchiveFile, target: Path, expected: str) -> bool:
        part = target.with_name(target.name + ".part")
        was_begun = part.exists()
        while await self._fetch(file.path, part, MOST_BYTES[file.kind], resume=True):
            try:
                verify(part, expected)
            except ChecksumMismatch as error:
                if was_begun:
                    # Begun from an earlier version of the file, perhaps: once more.
                    was_begun = False
                    part.unlink()
                    continue
                aside = target.with_name(target.name + ".refused")
                os.replace(part, aside)
                log.warning("archive_refused", file=file.name, kept_as=aside.name)
                raise ChecksumMismatch(
                    f"{str(error).removeprefix(part.name + ': ')}: {file.name} is "
                    f"refused and kept as {aside.name}"
                ) from error
            os.replace(part, target)
            return True
        return False

    async def _fetch(
        self, path: str, target: Path, most_bytes: int, resume: bool = False
    ) -> bool:
        """Write the document to `target`; False where the server has none."""
        self._require_open()
        problem = "it was never asked"
        for attempt in range(_ATTEMPTS):
            if attempt:
                pause = _FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1)
                await self._clock.sleep(min(pause, _LONGEST_PAUSE_SECONDS))
            begun = target.stat().st_size if resume and target.exists() else 0
            try:
                async with self._open(path, begun) as response:
                    if response.status in (403, 404):
                        return False
                    if response.status == 416:  # nothing follows: another file now
                        target.unlink(missing_ok=True)
                        problem = "status 416"
                        continue
                    if response.status not in (200, 206):
                        problem = f"status {response.status}"
                        await self._wait_as_told(response)
                        continue
                    await _write(response, target, begun, most_bytes)
                    return True
            except (aiohttp.ClientError, asyncio.TimeoutError) as error:
                problem = f"{type(error).__name__}: {error}"
        raise ExchangeUnavailable(
            mask_urls(f"{self._base_url}/{path}: {problem}, after {_ATTEMPTS} tries")
        )

    async def _wait_as_told(self, response: aiohttp.ClientResponse) -> None:
        """Keep to `Retry-After`; raise RateLimited where it is too long to wait."""
        now = self._clock.now()
        seconds = retry_after_seconds(response.headers, now) or 0.0
        if seconds > _LONGEST_PAUSE_SECONDS:
            self._closed_until = now + timedelta(seconds=seconds)
            self._require_open()
        await self._clock.sleep(seconds)

    def _require_open(self) -> None:
        """Raise RateLimited while the server wants no requests, for any file."""
        until, now = self._closed_until, self._clock.now()
        if until is not None and now < until:
            seconds = (until - now).total_seconds()
            raise RateLimited(
                f"{mask_urls(self._base_url)} wants no requests for {seconds:.0f} s, "
                f"until {until:%Y-%m-%d %H:%M:%S} UTC: try again then",
                seconds,
            )

    def _open(self, path: str, begun: int) -> aiohttp.client._RequestContextManager:
        assert self._session is not None, "used outside `async with`"
        headers = {"Accept-Encoding": "identity"}
        if begun:
            headers["Range"] = f"bytes={begun}-"
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS
        )
        return self._session.get(
            f"{self._base_url}/{path}", headers=headers, timeout=timeout
        )


async def _write(
    response: aiohttp.ClientResponse, target: Path, begun: int, most_bytes: int
) -> None:
    span = response.headers.get("Content-Range", "")
    goes_on = response.status == 206 and span.startswith(f"bytes {begun}-")
    size = begun if goes_on else 0
    with target.open("ab" if goes_on else "wb") as sink:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > most_bytes:
                response.close()
                target.unlink()
                raise BadData(f"{target.name} is larger than {most_bytes} bytes")
            sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
