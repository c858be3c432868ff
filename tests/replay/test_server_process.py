"""The replay market as an operating-system process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from app.config.settings import ReplaySettings
from app.core.exceptions import AppError
from app.replay.server import STATE_FILE, run_replay_market

PROGRAM = """
import asyncio, sys
from pathlib import Path
from app.config.settings import ReplaySettings
from app.replay import server

async def main(folder):
    stop = asyncio.Event()
    server.asyncio.get_running_loop().add_signal_handler(15, stop.set)
    await server.serve(
        ReplaySettings(port=0, markets=4, speed=500),
        Path(folder) / server.STATE_FILE,
        lambda port: print(f"PORT {port}", flush=True),
        stop,
    )

asyncio.run(main(sys.argv[1]))
"""


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("PORT "):
            return process, f"http://127.0.0.1:{line.split()[1]}"
    raise AssertionError(f"the server ended with {process.wait()}")


def read(url: str, path: str) -> Any:
    with urlopen(url + path, timeout=5) as reply:
        return json.loads(reply.read())


def test_time_goes_on_after_a_kill_and_after_a_clean_stop(tmp_path: Path) -> None:
    seen = 0
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        process, url = start(tmp_path)
        try:
            assert read(url, "/replay/health")["status"] == "ok"
            reading = read(url, "/replay/clock")
            assert reading["virtual_ms"] > seen and reading["speed"] == 500
            seen = read(url, "/api/v3/time")["serverTime"]
            assert (tmp_path / STATE_FILE).exists()
        finally:
            process.send_signal(ending)
            code = process.wait(timeout=5)
        assert code == (0 if ending is signal.SIGTERM else -signal.SIGKILL)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AppError, match=rf"127\.0\.0\.1:{port}.*in use"):
            run_replay_market(ReplaySettings(port=port, markets=4), tmp_path)


def test_a_host_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="203.0.113.9"):
        run_replay_market(
            ReplaySettings(host="203.0.113.9", port=0, markets=4), tmp_path
        )
