"""The server as a direct child that cannot outlive this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from app.core.exceptions import DatabaseUnavailable
from app.core.postgres.identity import Identity

_LAUNCHER = Path(__file__).with_name("child_launcher.py")
_LOG_LIMIT_BYTES = 16 * 1024 * 1024


class ChildProcess:
    """Runs one program below a thread that lives as long as the program.

    Linux ties the parent-death signal to the *thread* that started the child: had a
    short-lived thread started the server, its end would stop the server. So each
    child gets a thread of its own, which then waits for it.
    """

    def __init__(self, command: list[str], identity: Identity, log_file: Path) -> None:
        self._command = command
        self._identity = identity
        self._log_file = log_file
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self.exited = threading.Event()

    @property
    def pid(self) -> int:
        """Process id; 0 before `start`."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the program; raises DatabaseUnavailable when that is impossible."""
        started = threading.Event()
        threading.Thread(
            target=self._hold, args=(started,), name="postgres-parent", daemon=True
        ).start()
        started.wait()
        if self._failure is not None:
            raise DatabaseUnavailable(
                f"cannot run {self._command[0]}: {self._failure.strerror}"
            ) from self._failure

    def is_alive(self) -> bool:
        """Whether the program runs."""
        return self._process is not None and not self.exited.is_set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def output(self) -> str:
        """What the program printed since it was started (the last 64 KiB)."""
        with self._log_file.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - 65_536))
            return log.read().decode("utf-8", "replace")

    def _hold(self, started: threading.Event) -> None:
        identity = self._identity
        launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        if identity.drops_privileges:
            groups = ",".join(map(str, identity.groups))
            launch += [str(identity.uid), str(identity.gid), groups]
        else:
            launch += ["", "", ""]
        try:
            with self._open_log() as log:
                self._process = subprocess.Popen(
                    launch + self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=server_environment(),
                )
        except OSError as error:
            self._failure = error
            self.exited.set()
            return
        finally:
            started.set()
        self._process.wait()
        self.exited.set()

    def _open_log(self) -> BinaryIO:
        path = self._log_file
        if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._log_start = os.fstat(descriptor).st_size
        return os.fdopen(descriptor, "ab")


def server_environment() -> dict[str, str]:
    """Environment of the server's programs: none of our secrets, plain messages."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
