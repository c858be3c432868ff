"""Chooses the loopback port the embedded server listens on."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

from app.core.exceptions import ConfigurationError
from app.core.postgres.connection_file import HOST

# Below the ports Linux, macOS and BSD give to outgoing connections, so that none of
# those sits on a remembered port.
_FIRST, _COUNT = 25_432, 2_000


def free_ports(directory: Path, remembered: int | None) -> Iterator[int]:
    """Free ports, best first: the remembered one, then ones of this folder's own.

    Each project folder starts its search elsewhere, so two seldom meet.

    Raises ConfigurationError when none is left.
    """
    if remembered is not None and is_free(remembered):
        yield remembered
    offset = zlib.crc32(str(directory).encode()) % _COUNT
    for step in range(_COUNT):
        port = _FIRST + (offset + step) % _COUNT
        if port != remembered and is_free(port):
            yield port
    raise ConfigurationError(
        f"every port from {_FIRST} to {_FIRST + _COUNT - 1} on {HOST} is in use"
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As PostgreSQL does: a closed server's lingering connections do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True
