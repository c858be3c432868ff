"""Waiting for what another process does, up to a generous limit."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.core.clock import SystemClock


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once `condition()` holds; fail the test if it never does."""
    clock, never = SystemClock(), threading.Event()
    give_up_at = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < give_up_at, f"still not so after {seconds} s"
        clock.wait(never, 0.05)
