"""The same bench over real sockets: a server that writes whatever bytes it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from app.core.clock import ManualClock
from app.exchange.client import redirect
from app.exchange.service import ExchangeService
from tests.fuzz.venue import SETTINGS, START, Bench, MemorySession, OpenBudget, Reply


class WireServer(MemorySession):
    """Replies by path, as `MemorySession` does, written to a socket.

    `stream` is sent instead over and over, to 200 MB, with the length it announces.
    """

    stream: tuple[bytes, int | None] | None = None

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One reply a connection, cut short where the reply says so."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            # /<host>/<path>?<query>, see `redirect`
            path = "/" + target.partition("?")[0].split("/", 2)[2]
            if self.stream is not None:
                await self._pour(writer, *self.stream)
                return
            reply = self.next_reply(path)
            writer.write(_head(reply))
            for start in range(0, len(reply.body), reply.chunk):
                writer.write(reply.body[start : start + reply.chunk])
                await writer.drain()
        writer.close()

    async def _pour(
        self, writer: asyncio.StreamWriter, piece: bytes, announced: int | None
    ) -> None:
        length = "" if announced is None else f"Content-Length: {announced}\r\n"
        writer.write(f"HTTP/1.1 200 OK\r\n{length}Connection: close\r\n\r\n[".encode())
        for _ in range((200 << 20) // len(piece)):
            writer.write(piece)
            await writer.drain()
        writer.close()


def _head(reply: Reply) -> bytes:
    headers = {"Connection": "close", **reply.headers}
    size = len(reply.body) + (10 if reply.is_cut else 0)
    headers.setdefault("Content-Length", str(size))
    lines = [f"HTTP/1.1 {reply.status} as told"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def opened_on_wire(replies: Mapping[str, bytes]) -> AsyncIterator[Bench]:
    """As `venue.opened`, the session being the product's own."""
    told = WireServer()
    told.replies = {path: [Reply(body)] for path, body in replies.items()}
    server = await asyncio.start_server(told.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    service = ExchangeService(
        SETTINGS, ManualClock(START), randomness=random.Random(0), budget=OpenBudget()
    )
    try:
        async with service:
            client = service._client
            client.urls["api"] = redirect(
                client.urls["api"], f"http://127.0.0.1:{port}"
            )
            await service.fetch_markets()
            yield Bench(service, told)
    finally:
        server.close()
        await server.wait_closed()
