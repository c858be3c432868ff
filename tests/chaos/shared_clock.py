"""Virtual time that the market, the harness and every collector read from one place."""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_POLL_SECONDS = 0.005


class SharedClock:
    """Microseconds since 1970 in eight bytes of a file that processes map.

    A coroutine that sleeps moves the time on for everybody, as if all had slept; a
    thread that waits does so until somebody else has moved it.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, 8)
        self._memory = mmap.mmap(descriptor, 8)
        os.close(descriptor)

    def microseconds(self) -> int:
        """The present, since 1970."""
        return int(struct.unpack("<q", self._memory[:8])[0])

    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.microseconds())

    def monotonic(self) -> float:
        return self.microseconds() / 1e6

    def reset(self, moment: datetime) -> None:
        """Begin at `moment`, earlier or later than now."""
        self._write((moment - _EPOCH) // timedelta(microseconds=1))

    def reach(self, moment: datetime) -> None:
        """Move on to `moment`, unless it has passed already."""
        target = (moment - _EPOCH) // timedelta(microseconds=1)
        self._write(max(target, self.microseconds()))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        until = self.now() + timedelta(seconds=max(0.0, seconds))
        while self.now() < until:
            if event.wait(_POLL_SECONDS):
                return True
        return event.is_set()

    async def sleep(self, seconds: float) -> None:
        self.reach(self.now() + timedelta(seconds=max(0.0, seconds)))
        await asyncio.sleep(0)

    def _write(self, microseconds: int) -> None:
        self._memory[:8] = struct.pack("<q", microseconds)
