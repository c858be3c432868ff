"""Runs the real stack as operating system processes, for tests that kill them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.bootstrap import RUN_ID_VARIABLE


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Stack:
    """The replay market and the background processes, each killable."""

    environment: Mapping[str, str]
    folder: Path
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start `replay-market` or one of the processes."""
        words = [name] if name == "replay-market" else ["process", name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, "-m", "app.cli.main", *words],
                env=dict(self.environment),
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        """SIGKILL, as the kernel's out-of-memory killer would."""
        self.children[name].send_signal(signal.SIGKILL)
        self.children[name].wait()

    def stop(self) -> None:
        """Stop everything in an orderly way."""
        for child in self.children.values():
            if child.poll() is None:
                child.terminate()
        for child in self.children.values():
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def logs(self) -> str:
        """What all of them said, for a failing test."""
        return "\n".join(
            f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )


@contextmanager
def running_stack(
    database_url: str, folder: Path, settings: Mapping[str, str]
) -> Iterator[Stack]:
    """A stack on `database_url`; nothing is started yet, all is stopped at the end."""
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "CRYPTO_BOT__EXCHANGE__ID": "replay",
        "CRYPTO_BOT__REPLAY__PORT": str(port),
        "CRYPTO_BOT__APPLICATION__STATE_DIRECTORY": str(folder / "state"),
        RUN_ID_VARIABLE: str(uuid4()),
        **settings,
    }
    stack = Stack(environment, folder)
    try:
        yield stack
    finally:
        stack.stop()


def market_time_ms(stack: Stack) -> int:
    """The replay market's virtual time."""
    port = stack.environment["CRYPTO_BOT__REPLAY__PORT"]
    url = f"http://127.0.0.1:{port}/replay/clock"
    with urllib.request.urlopen(url, timeout=5) as reply:
        return int(json.loads(reply.read())["virtual_ms"])


def digest(session: Session, query: str, **parameters: object) -> tuple[int, str]:
    """Number of rows and SHA-256 over all their columns, in the query's order."""
    rows = session.execute(text(query), parameters).all()
    content = "\n".join(repr(tuple(row)) for row in rows)
    return len(rows), hashlib.sha256(content.encode()).hexdigest()
