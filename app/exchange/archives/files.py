"""Opens the CSV inside a zip, a gzip or a plain file, bounded and checked."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.exceptions import BadData
from app.exchange.archives.lines import ByteStream

_BROKEN = (
    *(OSError, EOFError, zlib.error, zipfile.BadZipFile),
    # An encrypted member, and a compression method unknown here.
    *(RuntimeError, NotImplementedError),
)


@contextmanager
def open_csv(path: Path) -> Iterator[ByteStream]:
    """The bytes of the CSV in `path` (.zip, .csv.gz or .csv).

    Raises BadData, also while it is read, for a file that is broken or holds anything
    but one CSV.
    """
    try:
        if path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                with archive.open(_only_member(path, archive)) as member:
                    yield member
        elif path.name.endswith(".gz"):
            with gzip.open(path, "rb") as stream:
                yield stream
        else:
            with path.open("rb", buffering=0) as raw:
                yield io.BufferedReader(raw)
    except _BROKEN as error:
        raise BadData(
            f"{path.name} cannot be read: {type(error).__name__}: {error}"
        ) from error


def promises_whole_lines(path: Path) -> bool:
    """Whether the container's own check sum would tell a file that was cut short."""
    return path.name.endswith((".zip", ".gz"))


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if not info.is_dir()]
    if len(members) != 1 or not members[0].filename.lower().endswith(".csv"):
        names = ", ".join(info.filename for info in members[:5]) or "nothing"
        raise BadData(f"{path.name} must hold one CSV file, it holds {names:.200}")
    return members[0]
