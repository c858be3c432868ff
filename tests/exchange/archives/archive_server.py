"""An archive served over a real socket, with the faults a test asks for."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web


class ArchiveServer:
    """Serves `root`; faults are queued by file name and used up one a request.

    A fault is a status to answer with, `reset` (half of what is asked, then the
    connection is cut) or `ignore-range` (the whole file, whatever was asked).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: dict[str, deque[int | str]] = defaultdict(deque)
        self.requests: list[tuple[str, str, int]] = []
        self.url = ""
        self.retry_after = "7"

    def asked(self, name: str) -> list[tuple[str, int]]:
        """Range and status of each request for the file of this name."""
        return [each[1:] for each in self.requests if each[0] == name]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        fault = self.faults[name].popleft() if self.faults[name] else None
        response = await self._answer(request, fault)
        asked = request.headers.get("Range", "")
        self.requests.append((name, asked, response.status))
        return response

    async def _answer(
        self, request: web.Request, fault: int | str | None
    ) -> web.StreamResponse:
        path = self.root / request.path.lstrip("/")
        if isinstance(fault, int):
            return web.Response(status=fault, headers={"Retry-After": self.retry_after})
        if not path.is_file():
            return web.Response(status=404)
        data, start = path.read_bytes(), 0
        asked = request.headers.get("Range")
        if asked and fault != "ignore-range":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return web.Response(status=416)
        headers = {"Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if fault == "reset":
            await response.write(data[start : start + (len(data) - start) // 2])
            await asyncio.sleep(0.02)  # let the half arrive before the cut
            assert request.transport is not None
            request.transport.abort()
            return response
        await response.write(data[start:])
        return response


@asynccontextmanager
async def serving(root: Path) -> AsyncIterator[ArchiveServer]:
    """`root` on a free port of the loopback."""
    server = ArchiveServer(root)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
