"""Runs the background processes as children and restarts those that die."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

from app.core.child_process import die_with_parent
from app.core.clock import SystemClock
from app.core.exceptions import ExitCode

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
    restart_at: float = 0.0
    pause_seconds: float = _FIRST_RESTART_SECONDS
    restarts: int = 0
    is_hopeless: bool = False


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
        """A child that no restart can mend, or None."""
        for child, status in zip(self._children, self.statuses()):
            if child.is_hopeless:
                return status
        return None

    def _watch(self) -> None:
        for child in self._children:
            self._launch(child)
        while not self._stopping.wait(_CHECK_SECONDS):
            for child in self._children:
                self._look_after(child)
        self._stop_children()

    def _look_after(self, child: _Child) -> None:
        if child.process is None or child.is_hopeless:
            return
        code = child.process.poll()
        if code is None:
            return
        now = self._clock.monotonic()
        if code in _HOPELESS:
            child.is_hopeless = True
            log.error("child_failed", child=child.spec.name, exit_code=code)
            return
        if child.restart_at == 0.0:
            lived = now - child.started_at
            if lived > _HEALTHY_SECONDS:
                child.pause_seconds = _FIRST_RESTART_SECONDS
            child.restart_at = now + child.pause_seconds
            child.pause_seconds = min(child.pause_seconds * 2, _LONGEST_RESTART_SECONDS)
            log.warning("child_died", child=child.spec.name, exit_code=code)
        elif now >= child.restart_at:
            child.restarts += 1
            self._launch(child)

    def _launch(self, child: _Child) -> None:
        path = child.spec.log_path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        if child.log_file is not None:
            child.log_file.close()
        child.log_file = path.open("ab")
        child.process = subprocess.Popen(
            list(child.spec.command),
            env=dict(child.spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=child.log_file,
            stderr=child.log_file,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        child.started_at = self._clock.monotonic()
        child.restart_at = 0.0

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
