"""Turns what PostgreSQL printed as it failed to start into one clear error."""

from __future__ import annotations

import re
from pathlib import Path

from app.core.exceptions import (
    AppError,
    ConfigurationError,
    DatabaseUnavailable,
    StorageFull,
)

_REASON = re.compile(r"(?:FATAL|PANIC|error|ERROR):\s+(.*)")


class PortTaken(DatabaseUnavailable):
    """Another program took the port between the check and the start."""


def startup_failure(program: str, data: Path, output: str) -> AppError:
    """The error for a `program` (`initdb`, `postgres`) that ended at once.

    `output` is everything it printed.
    """
    reasons = _REASON.findall(output)
    reason = reasons[-1].strip() if reasons else "it printed no reason"
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return StorageFull(
            f"{program}: no space left for {data}: free some, or choose another "
            "database.data_directory"
        )
    if "Address already in use" in output:
        return PortTaken(f"{program}: the port was taken meanwhile: {reason}")
    if "Read-only file system" in output or "Permission denied" in output:
        return ConfigurationError(
            f"{program} cannot write to {data}: {reason}. Choose another "
            "database.data_directory, or set DATABASE_URL"
        )
    return DatabaseUnavailable(f"{program} on {data} did not start: {reason}")
