"""A replay market on a real socket, with a clock that stands still until moved."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import ccxt.async_support as ccxt
from aiohttp import web

from app.config.settings import ReplaySettings
from app.replay.server import build_app, build_source
from app.replay.source import MarketSource
from app.replay.virtual_clock import VirtualClock

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class StillClock(VirtualClock):
    """Shows `at_ms`, whatever the machine's clock says."""

    def __init__(self, at_ms: int) -> None:
        super().__init__(at_ms, 1.0)
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


class RunningMarket:
    """What a test talks to."""

    def __init__(
        self, url: str, clock: StillClock, source: MarketSource, app: web.Application
    ) -> None:
        self.url, self.clock, self.source, self.app = url, clock, source, app
        self.session = aiohttp.ClientSession()

    async def get(self, path: str, **query: Any) -> tuple[int, Any, Any]:
        """Status, JSON document and headers of `path`."""
        async with self.session.get(self.url + path, params=query) as reply:
            return reply.status, json.loads(await reply.text()), reply.headers

    async def text(self, path: str, **query: Any) -> str:
        async with self.session.get(self.url + path, params=query) as reply:
            return await reply.text()

    async def spot(self, path: str, **query: Any) -> Any:
        """The document at `/api/v3/` + `path`, which must be a success."""
        status, document, _ = await self.get(f"/api/v3/{path}", **query)
        assert status == 200, document
        return document

    async def set_faults(self, *faults: dict[str, Any]) -> Any:
        async with self.session.post(self.url + "/replay/faults", json=faults) as reply:
            return await reply.json()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ccxt.binance]:
        """ccxt's own class; only its addresses are turned here."""
        exchange = ccxt.binance({"enableRateLimit": False, "timeout": 2000})
        exchange.urls["api"] = _turned(exchange.urls["api"], self.url)
        try:
            yield exchange
        finally:
            await exchange.close()


@asynccontextmanager
async def running(
    settings: ReplaySettings | None = None, at_ms: int | None = None
) -> AsyncIterator[RunningMarket]:
    """Serve `settings` at the virtual instant `at_ms` (its start by default)."""
    settings = settings or ReplaySettings()
    source = build_source(settings)
    clock = StillClock(source.first_start_ms if at_ms is None else at_ms)
    app = build_app(settings, source, clock)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    market = RunningMarket(url, clock, source, app)
    try:
        yield market
    finally:
        await market.session.close()
        await runner.cleanup()


def _turned(addresses: dict[str, Any], url: str) -> dict[str, Any]:
    return {
        key: (
            _turned(value, url)
            if isinstance(value, dict)
            else value.replace("https://", f"{url}/")
        )
        for key, value in addresses.items()
    }
