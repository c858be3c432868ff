"""Four processes, one address: what the market's own log says of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from app.config.settings import ReplaySettings
from app.core.database import Database
from app.replay.server import serve
from tests.processes.waiting import wait_until
from tests.services.budget_worker import HISTORY_DAYS

BUDGET = 0.8 * 6000
MINUTE_MS = 60_000
SPEED = 10.0
# A draw counts for the 60 s after it and the 3 s it may be on its way. On a loaded
# machine that way takes up to a real second, which is `SPEED` seconds of the market.
WINDOW_MS = (63 - round(SPEED)) * 1000
Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def market() -> Iterator[str]:
    """Address of a replay market whose time runs `SPEED` times as fast as ours."""
    ready = threading.Event()
    ports: list[int] = []
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def listen(port: int) -> None:
        ports.append(port)
        ready.set()

    def run() -> None:
        settings = ReplaySettings(port=0, history_days=HISTORY_DAYS, speed=SPEED)
        loop.run_until_complete(serve(settings, None, listen, stop))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def start(database_url: str, market: str) -> Iterator[Start]:
    """Starts a worker with a seed; all are killed at the end."""
    children: list[subprocess.Popen[str]] = []

    def begin(seed: str) -> subprocess.Popen[str]:
        words = ["-m", "tests.services.budget_worker", database_url, market, seed]
        child = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        return child

    with _killed_at_the_end(children):
        yield begin


@contextmanager
def _killed_at_the_end(children: list[subprocess.Popen[str]]) -> Iterator[None]:
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.communicate()


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return json.loads(reply.read())


def set_fault(market: str, **fault: Any) -> None:
    body = json.dumps([fault]).encode()
    urllib.request.urlopen(f"{market}/replay/faults", body, timeout=10).close()


def says(child: subprocess.Popen[str], word: str) -> bool:
    assert child.stdout is not None
    return child.stdout.readline().strip() == word


def test_four_processes_keep_to_one_budget_and_to_one_ban(
    market: str, start: Start, database: Database
) -> None:
    workers = [start(str(number)) for number in range(4)]
    assert all([says(worker, "answered") for worker in workers])
    _keep_to_the_budget(market)
    _keep_to_a_ban(market, start, workers, database)


def _keep_to_the_budget(market: str) -> None:
    """Saturated for two minutes of the market."""
    begin = read(f"{market}/replay/clock")["virtual_ms"]
    wait_until(
        lambda: read(f"{market}/replay/clock")["virtual_ms"] > begin + 2 * MINUTE_MS
    )
    summary = read(f"{market}/replay/requests?recent=2000")
    entries = summary["recent"]
    assert len(entries) == summary["count"] < 2000
    assert set(summary["by_status"]) == {"200"}
    # As the venue counts there is enough to be held back, and it is, in any window.
    assert 0.5 * BUDGET < summary["largest_minute_weight"]
    for start_ms in (entry["virtual_ms"] for entry in entries):
        window = range(start_ms, start_ms + WINDOW_MS)
        weights = (e["weight"] for e in entries if e["virtual_ms"] in window)
        assert sum(weights) <= BUDGET


def _keep_to_a_ban(
    market: str,
    start: Start,
    workers: list[subprocess.Popen[str]],
    database: Database,
) -> None:
    """One meets it, all keep to it, and so does one that is started inside it."""
    set_fault(market, kind="status", status=418, retry_after_seconds=600, times=1)
    # What was on its way when the ban was committed has arrived once all know of it.
    assert all([says(worker, "refused") for worker in workers])
    query = sa.text("SELECT bans FROM rate_budgets WHERE cooldown_until IS NOT NULL")
    with database.session_scope() as session:
        assert session.scalar(query) == 1
    before = read(f"{market}/replay/requests")["count"]
    workers[0].kill()
    assert says(start("restarted"), "refused")
    summary = read(f"{market}/replay/requests")
    assert summary["count"] == before
    assert summary["by_status"]["418"] == 1
    # Requests under way cannot be called back, nor those sent while the answer was on
    # its way to the database: a fraction of a second's at some 200 a second.
    assert summary["inside_ban_windows"] < 100
