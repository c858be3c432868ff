"""The only place that reads the system's clock.

Everything else is handed a `Clock`, so that a test, a replay or an accelerated
demonstration sees the time it is given. The lint rule in `tests/` enforces it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol


class Clock(Protocol):
    """Time of day, elapsed time and waiting, all on one scale."""

    def now(self) -> datetime:
        """The current instant: aware, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin that never run backwards."""

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Block until `event` is set or `seconds` passed; whether it was set."""

    async def sleep(self, seconds: float) -> None:
        """Suspend the running task for `seconds`."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class ScaledClock:
    """Virtual time that runs `speed` times as fast as real time.

    `virtual_at` is the virtual instant that belongs to the real instant `real_at`.
    Processes of one run are given the same numbers and so agree on the time. At
    `ends_at`, the end of a recording, the time of day stands still; waiting goes on.
    """

    def __init__(
        self,
        virtual_at: datetime,
        real_at: datetime,
        speed: float = 1.0,
        ends_at: datetime | None = None,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, got {speed}")
        self.virtual_at = virtual_at
        self.real_at = real_at
        self.speed = speed
        self.ends_at = ends_at

    def now(self) -> datetime:
        elapsed = (datetime.now(timezone.utc) - self.real_at).total_seconds()
        now = self.virtual_at + timedelta(seconds=elapsed * self.speed)
        return now if self.ends_at is None else min(now, self.ends_at)

    def monotonic(self) -> float:
        return time.monotonic() * self.speed

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds) / self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)


class ManualClock:
    """A clock that moves only when told to, for tests and replays.

    Waiting advances it: a wait of an hour returns at once, an hour later.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, which must not be negative."""
        if seconds < 0:
            raise ValueError(f"a clock cannot run backwards, got {seconds} s")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._elapsed += seconds

    def set(self, now: datetime) -> None:
        """Move forward to `now`."""
        self.advance((now - self._now).total_seconds())

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.advance(max(0.0, seconds))
        return event.is_set()

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)
