"""What a faulty reply looks like on the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import assert_never

from aiohttp import web

from app.config.settings import FaultSettings
from app.replay.replies import text_reply

_HTML = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>We will be back soon</h1></body></html>"
)
_LONGEST_HANG_SECONDS = 600.0


async def spoil(
    fault: FaultSettings, request: web.Request, good: web.Response
) -> web.Response:
    """The reply that `fault` makes of the `good` one."""
    match fault.kind:
        case "status":
            reply = text_reply(
                (
                    '{"code":-1003,"msg":"Too many requests; please wait."}'
                    if fault.status in (418, 429)
                    else '{"code":-1000,"msg":"An unknown error occurred."}'
                ),
                fault.status,
            )
            if fault.retry_after_seconds:
                reply.headers["Retry-After"] = f"{fault.retry_after_seconds:.15g}"
            return reply
        case "html":
            return web.Response(text=_HTML, content_type="text/html")
        case "empty":
            return text_reply("")
        case "null":
            return text_reply("null")
        case "truncate":
            body = good.body if isinstance(good.body, bytes) else b""
            return text_reply(body[: len(body) // 2].decode())
        case "hang":
            await _hang()
            return good
        case "reset":
            _reset(request)
            return good
        case (
            "missing_bars"
            | "corrected_bars"
            | "duplicate_bars"
            | "reversed_bars"
            | "short_page"
            | "overlapping_pages"
            | "shuffled_bars"
            | "halt"
            | "delist"
            | "rename"
            | "clock_skew"
        ):
            return good  # these change what is told, not how
        case _:
            assert_never(fault.kind)


async def _hang() -> None:
    """Say nothing until the client goes away or the longest hang is over."""
    try:
        async with asyncio.timeout(_LONGEST_HANG_SECONDS):
            await asyncio.Event().wait()
    except TimeoutError:
        pass


def _reset(request: web.Request) -> None:
    """Drop the connection with RST: lingering for zero seconds skips the FIN."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
