"""One process at a time owns the embedded server."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from app.core.exceptions import ConfigurationError


class OwnerLock:
    """A lock on a file, let go by the kernel when its holder dies.

    The descriptor is not inherited, so the server itself does not hold it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody has it; whether it was taken.

        Raises ConfigurationError when the file belongs to another user.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as error:
            raise ConfigurationError(
                f"{self._path} belongs to another user: run as that user, choose "
                "another database.data_directory, or set DATABASE_URL"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let another process own the server. Harmless when not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
