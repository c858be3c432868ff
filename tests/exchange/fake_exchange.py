"""A small HTTP exchange that says what a test tells it to, over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from aiohttp import web

from app.config.settings import ExchangeSettings
from app.core.clock import Clock, ManualClock
from app.exchange.service import ExchangeService

START = datetime(2025, 3, 3, 12, 0, 30, tzinfo=timezone.utc)
Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def body(
    document: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Reply:
    """Reply with a text as it is, or with a document as JSON."""

    async def reply(request: web.Request) -> web.StreamResponse:
        text = document if isinstance(document, str) else json.dumps(document)
        return web.Response(
            text=text, status=status, headers=headers, content_type="application/json"
        )

    return reply


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError("nobody waits that long")


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    """Announce 1,000 bytes, send 20, hang up."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'[[1741003200000,"1.0"')
    assert request.transport is not None
    request.transport.close()
    return response


def bar(open_at: datetime, price: float = 100.0) -> list[Any]:
    """A kline as Binance writes it."""
    prices = [f"{price + change:.8f}" for change in (0, 2, -2, 1)]
    return [ms(open_at), *prices, "5.00000000", ms(open_at) + 59_999, "500.0", 7]


def symbol_entry(base: str, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT",
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00100000", "minQty": "0.001"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
        **changes,
    }


def ticker_entry(base: str, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT",
        "lastPrice": "100.00",
        "bidPrice": "99.90",
        "askPrice": "100.10",
        "highPrice": "110.00",
        "lowPrice": "90.00",
        "openPrice": "95.00",
        "volume": "1000.0",
        "quoteVolume": "100000.0",
        "closeTime": ms(START),
        **changes,
    }


class FakeExchange:
    """Answers as Binance would, except for the replies queued by a test.

    `now` is its own clock. `requests` holds what it was asked: endpoint, query, and
    the client's clock at that time.
    """

    def __init__(self, clock: Clock) -> None:
        self.now = START
        self.bases: Sequence[str] = ("BTC", "ETH", "SOL")
        self.queued: dict[str, deque[Reply]] = defaultdict(deque)
        self.always: dict[str, Reply] = {}
        self.requests: list[tuple[str, dict[str, str], datetime]] = []
        self.url = ""
        self._clock = clock

    def asked(self, endpoint: str) -> list[datetime]:
        """The client's time at each request for `endpoint`."""
        return [at for name, _, at in self.requests if name == endpoint]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        endpoint = request.path.partition("/api/v3/")[2]
        self.requests.append((endpoint, dict(request.query), self._clock.now()))
        if self.queued[endpoint]:
            return await self.queued[endpoint].popleft()(request)
        if endpoint in self.always:
            return await self.always[endpoint](request)
        return await body(self._usual(endpoint, request.query))(request)

    def _usual(self, endpoint: str, query: Any) -> Any:
        match endpoint:
            case "time":
                return {"serverTime": ms(self.now)}
            case "exchangeInfo":
                return {"symbols": [symbol_entry(base) for base in self.bases]}
            case "ticker/24hr":
                return [ticker_entry(base) for base in self.bases]
            case "klines":
                return self._minutes(int(query["startTime"]), int(query["limit"]))
            case "depth":
                return {
                    "lastUpdateId": 1,
                    "bids": [["99.9", "1.0"], ["99.8", "2.0"]],
                    "asks": [["100.1", "1.5"], ["100.2", "2.5"]],
                }
        raise AssertionError(f"unexpected request for {endpoint}")

    def _minutes(self, start_ms: int, limit: int) -> list[Any]:
        first = datetime.fromtimestamp(start_ms / 1000, timezone.utc)
        opens = (first + timedelta(minutes=n) for n in range(limit))
        return [bar(open_at) for open_at in opens if open_at <= self.now]


@asynccontextmanager
async def fake_exchange(clock: Clock) -> AsyncIterator[FakeExchange]:
    """The fake, listening on a free port of the loopback."""
    fake = FakeExchange(clock)
    application = web.Application()
    application.router.add_get("/{path:.*}", fake.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    fake.url = f"http://{host}:{port}"
    try:
        yield fake
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(
    clock: Clock | None = None, **settings: Any
) -> AsyncIterator[tuple[FakeExchange, ExchangeService]]:
    """The fake and the service that talks to it, on a clock that never waits."""
    clock = clock or ManualClock(START)
    async with fake_exchange(clock) as fake:
        exchange = ExchangeService(ExchangeSettings(**settings), clock, fake.url)
        async with exchange:
            yield fake, exchange
