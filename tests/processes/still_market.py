"""A replay market in a thread of its own, for tests of blocking code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from app.config.settings import ReplaySettings
from tests.replay.running import RunningMarket, running


class StillMarket:
    """The market's address, and its hands: the time and the faults."""

    def __init__(self, market: RunningMarket, loop: asyncio.AbstractEventLoop) -> None:
        self._market, self._loop = market, loop
        self.url = market.url

    def move_to(self, moment: datetime) -> None:
        """Set the market's time."""
        self._market.clock.at_ms = round(moment.timestamp() * 1000)

    def set_faults(self, *faults: dict[str, Any]) -> None:
        """Replace what goes wrong."""
        setting = self._market.set_faults(*faults)
        asyncio.run_coroutine_threadsafe(setting, self._loop).result(10)


@contextmanager
def still_market(settings: ReplaySettings, at: datetime) -> Iterator[StillMarket]:
    """Serve on a real socket until the block ends; time stands still at `at`."""
    ready: list[StillMarket] = []
    started, stopping = threading.Event(), threading.Event()

    async def serve() -> None:
        async with running(settings, round(at.timestamp() * 1000)) as market:
            ready.append(StillMarket(market, asyncio.get_running_loop()))
            started.set()
            while not stopping.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(30)
        yield ready[0]
    finally:
        stopping.set()
        thread.join()
