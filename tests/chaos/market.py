"""The replay market in a thread of its own, on the shared clock, fresh for each run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter

from app.config.settings import FaultSettings, ReplaySettings
from app.replay.faults import FaultBook
from app.replay.request_log import RequestLog
from app.replay.server import FAULTS, REQUESTS, SERVED, build_app
from app.replay.served_log import ServedLog
from app.replay.simulated import SimulatedMarket
from app.replay.source import MarketSource
from app.replay.virtual_clock import VirtualClock
from tests.chaos.shared_clock import SharedClock

T = TypeVar("T")
_FAULTS = TypeAdapter(tuple[FaultSettings, ...])


class FollowingClock(VirtualClock):
    """Shows the shared time."""

    def __init__(self, shared: SharedClock) -> None:
        super().__init__(0, 1.0)
        self._shared = shared

    def now_ms(self) -> int:
        return self._shared.microseconds() // 1000


class ChaosMarket:
    """What the harness may do to the market of one run, and ask it afterwards."""

    def __init__(self, url: str, app: web.Application, source: MarketSource) -> None:
        self.url, self.source = url, source
        self._faults: FaultBook = app[FAULTS]
        self.requests: RequestLog = app[REQUESTS]
        self.served: ServedLog = app[SERVED]

    def set_faults(self, faults: Sequence[dict[str, Any]]) -> None:
        """Replace what goes wrong."""
        self._faults.replace(_FAULTS.validate_python(faults))


class MarketThread:
    """An event loop that serves one market after another."""

    def __init__(self, clock: SharedClock) -> None:
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @contextmanager
    def serve(self, settings: ReplaySettings) -> Iterator[ChaosMarket]:
        """A market of its own logs, limits and faults, until the block ends."""
        source = _source(settings)
        app = build_app(settings, source, FollowingClock(self._clock))
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05
        )
        port = self._run(self._listen(runner))
        try:
            yield ChaosMarket(f"http://127.0.0.1:{port}", app, source)
        finally:
            self._run(runner.cleanup())

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @staticmethod
    async def _listen(runner: web.AppRunner) -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


@lru_cache(maxsize=16)
def _source(settings: ReplaySettings) -> SimulatedMarket:
    """Bars are drawn once for all runs of a market: they never change."""
    return SimulatedMarket(settings)
