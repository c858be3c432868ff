"""The way in for clients: weight, misbehaviour, the reply, the record of it."""

from __future__ import annotations

import re

from aiohttp import web

from app.replay.api import SpotApi
from app.replay.faults import FaultBook
from app.replay.limits import Verdict, WeightLimiter, weight_of
from app.replay.parameters import find_integer, find_symbols
from app.replay.replies import BinanceError, error_reply, json_reply
from app.replay.request_log import RequestEntry, RequestLog
from app.replay.spoil import spoil
from app.replay.virtual_clock import VirtualClock

# Clients that are pointed here keep the exchange's host as the first segment.
_HOST = re.compile(r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?$")
_SPOT = "api/v3/"
# ccxt loads the derivative markets too, unless told not to; there are none.
_DERIVATIVES = ("fapi/v1/exchangeInfo", "dapi/v1/exchangeInfo")


class Door:
    """Handles every path that is not `/replay/...`."""

    def __init__(
        self,
        api: SpotApi,
        clock: VirtualClock,
        faults: FaultBook,
        limiter: WeightLimiter,
        requests: RequestLog,
    ) -> None:
        self._api, self._clock, self._faults = api, clock, faults
        self._limiter, self._requests = limiter, requests

    async def answer(self, request: web.Request) -> web.Response:
        """Judge, answer, spoil if asked to, and record."""
        path = _without_host(request.match_info["path"])
        now_ms = self._clock.now_ms()
        told_ms = now_ms + self._faults.skew_ms(now_ms)
        address = request.remote or ""
        symbol = request.query.get("symbol", "")
        weight = _weight(path.removeprefix(_SPOT), request)
        # 1. Too much asked already: no answer at all.
        verdict = self._limiter.admit(address, weight, now_ms)
        fault = None
        if verdict.status != 200:
            reply = _refusal(verdict, self._limiter.per_minute)
        else:
            # 2. The reply, and what a fault makes of it.
            reply = self._reply(path, request, told_ms)
            fault = self._faults.find_reply_fault(path, symbol, now_ms)
        # 3. Recorded before a fault can hold the reply back for good.
        status, wait = reply.status, float(verdict.retry_after_seconds)
        if fault is not None and fault.kind == "status":
            status, wait = fault.status, fault.retry_after_seconds
        entry = RequestEntry(
            now_ms, path, symbol, weight, status, fault.kind if fault else "", wait
        )
        self._requests.record(address, entry)
        if fault is not None:
            reply = await spoil(fault, request, reply)
        reply.headers["X-MBX-USED-WEIGHT"] = str(verdict.used)
        reply.headers["X-MBX-USED-WEIGHT-1M"] = str(verdict.used)
        return reply

    def _reply(self, path: str, request: web.Request, now_ms: int) -> web.Response:
        if path in _DERIVATIVES:
            return json_reply({"timezone": "UTC", "serverTime": now_ms, "symbols": []})
        if not path.startswith(_SPOT):
            return error_reply(BinanceError(-1, f"Unknown path: /{path}", 404))
        try:
            return self._api.reply(path.removeprefix(_SPOT), request.query, now_ms)
        except BinanceError as error:
            return error_reply(error)


def _without_host(path: str) -> str:
    first, _, rest = path.partition("/")
    return rest if _HOST.match(first) else path


def _weight(path: str, request: web.Request) -> int:
    """The request's weight; a malformed one costs as if it named nothing."""
    try:
        names = find_symbols(request.query)
        limit = find_integer(request.query, "limit") or 0
    except BinanceError:
        names, limit = None, 0
    return weight_of(path, None if names is None else len(names), limit)


def _refusal(verdict: Verdict, per_minute: int) -> web.Response:
    if verdict.status == 418:
        message = (
            "Way too much request weight used; IP banned until "
            f"{verdict.banned_until_ms}. Please use WebSocket Streams for live "
            "updates to avoid bans."
        )
    else:
        message = (
            "Too much request weight used; current limit is "
            f"{per_minute} request weight per 1 MINUTE. Please use WebSocket Streams "
            "for live updates to avoid polling the API."
        )
    reply = error_reply(BinanceError(-1003, message, verdict.status))
    reply.headers["Retry-After"] = str(verdict.retry_after_seconds)
    return reply
