"""`/replay/...`: the market's clock, health, faults and request log."""

from __future__ import annotations

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from app.config.settings import FaultSettings
from app.replay.faults import FaultBook
from app.replay.replies import json_reply
from app.replay.request_log import RequestLog
from app.replay.served_log import ServedLog
from app.replay.source import MarketSource
from app.replay.virtual_clock import VirtualClock

_FAULTS = TypeAdapter(tuple[FaultSettings, ...])


def add_control_routes(
    router: web.UrlDispatcher,
    source: MarketSource,
    clock: VirtualClock,
    faults: FaultBook,
    requests: RequestLog,
    identity: str,
) -> None:
    """Paths that cost no weight, are never spoilt and are not in the request log.

    `identity` tells a client whether this is the market it means.
    """

    async def read_clock(request: web.Request) -> web.Response:
        return json_reply(clock.reading() | {"market": identity})

    async def read_health(request: web.Request) -> web.Response:
        now_ms = clock.now_ms()
        return json_reply(
            {
                "status": "ok",
                "virtual_ms": now_ms,
                "symbols": len(source.listings(now_ms)),
                "ended": source.ends_ms is not None and now_ms >= source.ends_ms,
            }
        )

    async def read_markets(request: web.Request) -> web.Response:
        listings = source.listings(clock.now_ms())
        return json_reply(
            [
                {
                    "symbol": each.symbol,
                    "status": each.status.value,
                    "finest": each.finest.value,
                    "listed_ms": each.listed_ms,
                    "spread_bps": each.spread_bps,
                }
                for each in listings
            ]
        )

    async def read_faults(request: web.Request) -> web.Response:
        return json_reply(faults.report())

    async def replace_faults(request: web.Request) -> web.Response:
        try:
            wanted = _FAULTS.validate_json(await request.read())
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)
            return json_reply({"errors": [_problem(p) for p in problems]}, 400)
        faults.replace(wanted)
        return json_reply(faults.report())

    async def read_requests(request: web.Request) -> web.Response:
        newest = request.query.get("recent", "0")
        if not newest.isdigit():
            return json_reply({"errors": ["recent must be a whole number"]}, 400)
        return json_reply(requests.summary(int(newest)))

    router.add_get("/replay/clock", read_clock)
    router.add_get("/replay/health", read_health)
    router.add_get("/replay/markets", read_markets)
    router.add_get("/replay/faults", read_faults)
    router.add_post("/replay/faults", replace_faults)
    router.add_get("/replay/requests", read_requests)


def add_served_route(router: web.UrlDispatcher, served: ServedLog) -> None:
    """`/replay/served`: every value sent of the bars of `symbol` and `interval`."""

    async def read_served(request: web.Request) -> web.Response:
        symbol = request.query.get("symbol", "")
        return json_reply(served.report(symbol, request.query.get("interval", "")))

    router.add_get("/replay/served", read_served)


def _problem(problem: object) -> str:
    assert isinstance(problem, dict)
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}"
