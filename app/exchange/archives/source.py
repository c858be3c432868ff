"""Where archive files come from: a folder at hand, or a server behind a cache."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from app.core.exceptions import BadData
from app.exchange.archives.checksum import SUFFIX, parse_checksum, verify
from app.exchange.archives.layout import ArchiveFile


class ArchiveSource(Protocol):
    """Finds files of an archive; asked for one at a time."""

    async def find(self, file: ArchiveFile) -> Path | None:
        """A verified local copy of `file`; None where the archive has none.

        Raises BadData where the copy is refused, ChecksumMismatch if that is because
        it is not the published file, ExchangeUnavailable where nobody answers,
        RateLimited where the archive wants no requests for longer than one waits.
        """


class FolderArchives:
    """A folder that holds the archive's tree, or its files side by side."""

    def __init__(self, root: Path, is_unverified_accepted: bool = False) -> None:
        self._root = root
        self._is_unverified_accepted = is_unverified_accepted

    async def find(self, file: ArchiveFile) -> Path | None:
        for path in (self._root / file.path, self._root / file.name):
            if path.is_file():
                self._check(path)
                return path
        return None

    def _check(self, path: Path) -> None:
        beside = path.with_name(path.name + SUFFIX)
        if beside.is_file():
            text = beside.read_text("utf-8", "replace")
            verify(path, parse_checksum(text, path.name))
        elif not self._is_unverified_accepted:
            raise BadData(
                f"{path.name}: there is no {path.name}{SUFFIX} beside it to verify it "
                "by; --unverified accepts such files"
            )
