"""Checks a file against the CHECKSUM published beside it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from app.core.exceptions import BadData

SUFFIX = ".CHECKSUM"
_LINE = re.compile(r"\s*(?P<digest>[0-9A-Fa-f]{64})\s+\*?(?P<name>\S+)\s*")
_READ_BYTES = 1 << 20


class ChecksumMismatch(BadData):
    """A file is not the one whose checksum was published."""


def parse_checksum(text: str, name: str) -> str:
    """The digest (hex, lower case) that `text`, `<sha256>  <name>`, gives for `name`.

    Raises BadData where it gives none.
    """
    match = _LINE.fullmatch(text)
    if match is None or match["name"] != name:
        raise BadData(f"{name}{SUFFIX} must hold `<sha256>  {name}`, got {text!r:.120}")
    return match["digest"].lower()


def verify(path: Path, expected: str) -> None:
    """Raise ChecksumMismatch, naming both values, unless SHA-256 is `expected`."""
    actual = sha256_of(path)
    if actual != expected:
        raise ChecksumMismatch(
            f"{path.name}: SHA-256 is {actual}, the published one is {expected}"
        )


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
