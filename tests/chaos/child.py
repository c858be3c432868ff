"""The harness's hand on one collector process."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.zygote import Zygote

LONGEST_PASS_SECONDS = 30.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended: well (nothing set), with an error, a death or a defect."""

    error: str = ""
    death: str = ""
    defect: str = ""

    @property
    def is_well(self) -> bool:
        """Whether the pass did everything it should."""
        return not (self.error or self.death or self.defect)


class Child:
    """One forked process; `order` is what `collecting.collect` follows."""

    def __init__(self, zygote: Zygote, order: dict[str, Any]) -> None:
        self._zygote = zygote
        self.pid, self._socket = zygote.fork(order)
        self.is_alive = True

    def begin_pass(self, failpoints: str = "") -> None:
        """Tell it to make a pass; `end_pass` says what became of it."""
        try:
            self._socket.send(json.dumps({"arm": failpoints}).encode())
        except BrokenPipeError:
            pass  # dead already, which `end_pass` will tell

    def end_pass(self, when_stopped: Callable[[], None]) -> Outcome:
        """Wait for the end of the pass; a process that stopped itself is resumed."""
        deadline = time.monotonic() + LONGEST_PASS_SECONDS
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self._socket], [], [], _POLL_SECONDS)
            if readable:
                return self._outcome()
            if self._is_stopped():
                when_stopped()
                os.kill(self.pid, signal.SIGCONT)
        self.kill()
        return Outcome(defect=f"no end of the pass in {LONGEST_PASS_SECONDS} s")

    def wait_until_ready(self) -> None:
        """Block until a process that runs by itself has been built."""
        self._socket.recv(1024)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.send(signal.SIGKILL)
        self.wait(5.0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it is dead."""
        if self.is_alive:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int | None:
        """Exit code, None where it still lives after `seconds`."""
        code = self._zygote.wait(self.pid, seconds)
        if code is not None and self.is_alive:
            self.is_alive = False
            self._socket.close()
        return code

    def hang_up(self) -> None:
        """Let it end in an orderly way; kill it if it does not."""
        if not self.is_alive:
            return
        self._socket.shutdown(socket.SHUT_RDWR)
        if self.wait(5.0) is None:
            self.kill()

    def _outcome(self) -> Outcome:
        try:
            reply = self._socket.recv(65_536)
        except ConnectionResetError:
            reply = b""
        if reply:
            return Outcome(**json.loads(reply))
        code = self.wait(5.0)
        if code is None or code != -signal.SIGKILL:
            return Outcome(defect=f"the process ended with exit code {code}")
        return Outcome(death="SIGKILL")

    def _is_stopped(self) -> bool:
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                return file.read().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False
