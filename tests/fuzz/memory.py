"""How much memory and CPU time hostile replies take, over a real socket.

Run as a process of its own; prints one JSON line a reply: its name, by how many bytes
the peak resident size grew, the CPU seconds, and what the call came to.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from app.core.exceptions import AppError
from app.domain.timeframe import Timeframe
from app.exchange.service import ExchangeService
from tests.fuzz.corpus import load_corpus, market_lists
from tests.fuzz.venue import Reply
from tests.fuzz.wire import WireServer, opened_on_wire

_MIB = 1 << 20
_SINCE = datetime(2026, 1, 1, tzinfo=timezone.utc)


def _stream(announced: bool) -> Callable[[WireServer], None]:
    """200 MB of rows, by their length or without telling it."""

    def prepare(server: WireServer) -> None:
        size = 200 * _MIB if announced else None
        server.stream = (b'[1767225600000,"1","1","1","1","1"],' * 1800, size)

    return prepare


def _body(body: bytes) -> Callable[[WireServer], None]:
    def prepare(server: WireServer) -> None:
        server.replies["/api/v3/klines"] = [Reply(body)]

    return prepare


HOSTILE: dict[str, Callable[[WireServer], None]] = {
    "200 MB announced": _stream(True),
    "200 MB unannounced": _stream(False),
    "lists nested 10,000 deep": _body(b"[" * 10_000 + b"]" * 10_000),
    "objects nested 10,000 deep": _body(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "lists never closed": _body(b"[" * 1_000_000),
    "a numeral of a million digits": _body(b"[[" + b"9" * 1_000_000 + b"]]"),
    "an exponent of 30 million": _body(b'[[1767225600000,"1e30000000",1,1,1,1]]'),
    "a text of 8 MB": _body(b'"' + b"x" * (8 * _MIB) + b'"'),
    "a million empty rows": _body(b"[" + b"[]," * 1_000_000 + b"[]]"),
    "400,000 sound rows": _body(
        b"[" + b'[1767225600000,"1","1","1","1","1"],' * 400_000 + b"[]]"
    ),
    "10,000 bad rows": _body(b"[" + b'[0,"-1",{},"1"],' * 9_999 + b"[]]"),
    "a million numbers": _body(b"[" + b"0," * 1_000_000 + b"0]"),
}


async def measure_all() -> None:
    """Ask for candles once for each reply, print what it took."""
    lists = market_lists(load_corpus(None))
    async with opened_on_wire(lists) as bench:
        assert isinstance(bench.session, WireServer)
        for name, prepare in HOSTILE.items():
            bench.begin(_SINCE)
            bench.session.stream = None
            prepare(bench.session)
            before, started = _reset_peak(), time.process_time()
            outcome = await _ask(bench.service)
            seconds = time.process_time() - started
            growth = _status("VmHWM") - before
            print(json.dumps([name, growth, seconds, outcome]))


async def _ask(service: ExchangeService) -> str:
    try:
        page = await service.fetch_candles("BTC/USDT", Timeframe.M1, _SINCE, 1000)
    except AppError as error:
        return type(error).__name__
    return f"{len(page)} bars, {len(page.rejected)} refused"


def _reset_peak() -> int:
    """Make the peak the present size (Linux: proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {name} in /proc/self/status")


if __name__ == "__main__":
    asyncio.run(measure_all())
