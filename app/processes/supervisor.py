"""Runs the background processes as children and restarts those that die."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

from app.core.child_process import die_with_parent
from app.core.clock import SystemClock
from app.core.exceptions import ExitCode, FatalError

log = structlog.get_logger(__name__)

_CHECK_SECONDS = 0.1
_FIRST_RESTART_SECONDS = 0.2
_LONGEST_RESTART_SECONDS = 10.0
# A child that lived this long is healthy; its next restart is quick again.
_HEALTHY_SECONDS = 30.0
_TERM_SECONDS = 3.0
_LARGEST_LOG_BYTES = 10 * 1024 * 1024
# Exit codes that a restart cannot mend.
_HOPELESS = frozenset({ExitCode.CONFIGURATION, ExitCode.USAGE})


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run: a name for people, the command, and its log file."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path


@dataclass
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[bytes] | None = None
    log_file: IO[bytes] | None = None
    started_at: float = 0.0
    # Whether it is to be started, and from when on.
    is_due: bool = True
    restart_at: float = float("-inf")
    pause_seconds: float = _FIRST_RESTART_SECONDS
    restarts: int = 0
    is_hopeless: bool = False

    def restart_later(self, now: float) -> None:
        """Wait longer each time, until it lived for a while."""
        self.is_due, self.restart_at = True, now + self.pause_seconds
        self.pause_seconds = min(self.pause_seconds * 2, _LONGEST_RESTART_SECONDS)


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """How one child is doing."""

    name: str
    pid: int | None
    restarts: int
    exit_code: int | None


@dataclass
class Supervisor:
    """Keeps a set of child processes alive from a thread of its own.

    Children get a session of their own, so that Ctrl-C reaches only the parent,
    which then stops them in order; on Linux they also die with the parent.
    """

    specs: Sequence[ChildSpec]
    _children: list[_Child] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _clock: SystemClock = field(default_factory=SystemClock)

    def start(self) -> None:
        """Start every child, and the thread that looks after them."""
        self._children = [_Child(spec) for spec in self.specs]
        # The thread that starts a child must outlive it: on Linux a child is told
        # of its parent's death when that thread ends.
        self._thread = threading.Thread(target=self._watch, name="supervisor")
        self._thread.start()

    def stop(self) -> None:
        """Stop every child: SIGTERM, then SIGKILL after 3 seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def statuses(self) -> list[ChildStatus]:
        """How the children are doing, in the order given."""
        return [
            ChildStatus(
                child.spec.name,
                child.process.pid if child.process else None,
                child.restarts,
                child.process.poll() if child.process else None,
            )
            for child in self._children
        ]

    def failed_for_good(self) -> ChildStatus | None:
        """A child that no restart can mend, or None.

        Raises FatalError if nobody looks after the children any more.
        """
        is_watching = self._thread is None or self._thread.is_alive()
        if not is_watching and not self._stopping.is_set():
            raise FatalError("the supervisor ended by itself and stopped its children")
        for child, status in zip(self._children, self.statuses()):
            if child.is_hopeless:
                return status
        return None

    def _watch(self) -> None:
        try:
            while not self._stopping.is_set():
                for child in self._children:
                    # The log may be on the disk that is full.
                    with suppress(OSError):
                        self._look_after(child)
                self._stopping.wait(_CHECK_SECONDS)
        finally:
            self._stop_children()

    def _look_after(self, child: _Child) -> None:
        if child.is_hopeless:
            return
        now = self._clock.monotonic()
        if child.is_due:
            if now >= child.restart_at:
                self._launch(child, now)
            return
        code = child.process.poll() if child.process else None
        if code is None:
            return
        if code in _HOPELESS:
            child.is_hopeless = True
            log.error("child_failed", child=child.spec.name, exit_code=code)
            return
        lived = now - child.started_at
        if lived > _HEALTHY_SECONDS:
            child.pause_seconds = _FIRST_RESTART_SECONDS
        child.restart_later(now)
        log.warning("child_died", child=child.spec.name, exit_code=code)

    def _launch(self, child: _Child, now: float) -> None:
        """Start the child; where that cannot be done now, try again later."""
        try:
            self._start(child)
        except (OSError, subprocess.SubprocessError) as error:
            # No room, memory, processes or open files left: none of them for good.
            child.restart_later(now)
            log.error("child_not_started", child=child.spec.name, error=str(error))
            return
        child.started_at, child.is_due = now, False

    def _start(self, child: _Child) -> None:
        path = child.spec.log_path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        if child.log_file is not None:
            child.log_file.close()
        child.log_file = path.open("ab")
        process = subprocess.Popen(
            list(child.spec.command),
            env=dict(child.spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=child.log_file,
            stderr=child.log_file,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        # Counted first: who sees the new process sees that it is a restart.
        child.restarts += child.process is not None
        child.process = process

    def _stop_children(self) -> None:
        alive = [child.process for child in self._children if child.process]
        for process in alive:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = self._clock.monotonic() + _TERM_SECONDS
        for process in alive:
            try:
                process.wait(max(0.0, deadline - self._clock.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for child in self._children:
            if child.log_file is not None:
                child.log_file.close()
