"""Runs coroutines from a process's worker thread, and lets another thread stop it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Interrupted(Exception):
    """The process is stopping, so the coroutine was cancelled."""


class AsyncBridge:
    """One event loop for one thread; `interrupt` may be called from any thread."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._lock = threading.Lock()
        self._task: asyncio.Task[Any] | None = None
        self._is_interrupted = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run to the end; raises `Interrupted` if `interrupt` was called."""
        try:
            return self._runner.run(self._tracked(coroutine))
        except asyncio.CancelledError:
            raise Interrupted from None

    async def _tracked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._is_interrupted:
                coroutine.close()
                raise asyncio.CancelledError
            self._task = asyncio.current_task()
        try:
            return await coroutine
        finally:
            with self._lock:
                self._task = None

    def interrupt(self) -> None:
        """Cancel what is running, and everything that would run later."""
        with self._lock:
            self._is_interrupted = True
            task = self._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def close(self, cleanup: Coroutine[Any, Any, None] | None = None) -> None:
        """Run `cleanup` (an interrupt does not stop it) and close the loop."""
        try:
            if cleanup is not None:
                self._runner.run(cleanup)
        finally:
            self._runner.close()
