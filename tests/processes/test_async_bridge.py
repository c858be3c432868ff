"""Stopping a coroutine from another thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from app.processes.async_bridge import AsyncBridge, Interrupted


def test_an_interrupt_cancels_what_is_running() -> None:
    bridge, running = AsyncBridge(), threading.Event()

    async def hang() -> None:
        running.set()
        await asyncio.Event().wait()

    def interrupt() -> None:
        running.wait()
        bridge.interrupt()

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(Interrupted):
        bridge.run(hang())
    other.join()
    bridge.close()


def test_after_an_interrupt_nothing_starts_but_the_cleanup() -> None:
    bridge, started = AsyncBridge(), []

    async def note(what: str) -> None:
        started.append(what)

    bridge.run(note("before"))
    bridge.interrupt()
    with pytest.raises(Interrupted):
        bridge.run(note("after"))
    bridge.close(note("cleanup"))
    assert started == ["before", "cleanup"]


def test_errors_of_the_coroutine_come_through() -> None:
    bridge = AsyncBridge()

    async def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        bridge.run(fail())
    bridge.close()
