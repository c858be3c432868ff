"""Clears away what a server that lost its owner left behind.

Called with the owner's lock held, so whatever still runs in the data directory has
no owner: on Linux it is already shutting down (its parent died), elsewhere it is
told to.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

import psutil
import structlog

from app.core.exceptions import DatabaseUnavailable

_log = structlog.get_logger(__name__)

_FAST_SHUTDOWN_SECONDS = 20.0
_IMMEDIATE_SHUTDOWN_SECONDS = 5.0


def clear_leftovers(data: Path) -> None:
    """Stop every process that still serves `data`; drop a misleading pid file.

    Raises DatabaseUnavailable when a process outlives every signal.
    """
    pid_file = data / "postmaster.pid"
    recorded = _recorded_pid(pid_file)
    if recorded is None:
        return
    left = _serving(data)
    if left:
        _log.warning("postgres_left_behind", pids=[process.pid for process in left])
    for number, seconds in (
        (signal.SIGINT, _FAST_SHUTDOWN_SECONDS),
        (signal.SIGQUIT, _IMMEDIATE_SHUTDOWN_SECONDS),
        (signal.SIGKILL, _IMMEDIATE_SHUTDOWN_SECONDS),
    ):
        if not left:
            break
        for process in left:
            # A fast shutdown goes to the parent server; its children follow it.
            if number != signal.SIGINT or process.pid == recorded:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        # An orphaned backend does not react to its postmaster's SIGINT.
        orphans = all(process.pid != recorded for process in left)
        patience = 2.0 if orphans and number == signal.SIGINT else seconds
        _, left = psutil.wait_procs(left, timeout=patience)
        left = left or _serving(data)
    if left:
        raise DatabaseUnavailable(
            f"process {left[0].pid} still serves {data} after SIGKILL: it hangs in "
            "the kernel, usually on a disk that does not answer"
        )
    if pid_file.exists() and psutil.pid_exists(recorded):
        # Its server is gone and the number was given to a stranger; PostgreSQL
        # would take the stranger for a running server and refuse to start.
        pid_file.unlink(missing_ok=True)


def _recorded_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _serving(data: Path) -> list[psutil.Process]:
    """Every `postgres` process whose working folder is `data` (all of them are)."""
    wanted = str(data.resolve())
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.cwd() == wanted and "postgres" in process.name():
                found.append(process)
    return found
