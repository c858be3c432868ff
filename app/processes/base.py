"""The loop every background process shares."""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import threading
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from types import FrameType
from typing import Any, ClassVar

import structlog

from app.core.clock import Clock, SystemClock
from app.core.database import Database
from app.core.exceptions import AppError, ExitCode, RetryableError
from app.domain.process import ProcessName, ProcessState
from app.processes.async_bridge import AsyncBridge, Interrupted
from app.processes.heartbeat import Heartbeat, Vitals

log = structlog.get_logger(__name__)

# Real seconds: SIGTERM must end the process within 5.
_JOIN_SECONDS = 1.5
_JOIN_AFTER_CUT_SECONDS = 1.0
_HEARTBEAT_SECONDS = 1.0
_MAX_BACKOFF_SECONDS = 30.0
_BEATS_WHILE_WAITING_SECONDS = 2.0


class BaseProcess(ABC):
    """One background process: `tick` does one pass, `run` repeats it on schedule.

    Start-up is the recovery path: a pass reads where the last one ended from the
    database, so a process may be killed at any instant and started again.

    The passes run in a worker thread. The main thread stays free to see SIGTERM
    while the worker is blocked in the database or the network, and watches that
    the worker makes progress.
    """

    name: ClassVar[ProcessName]

    def __init__(
        self,
        clock: Clock,
        database: Database,
        heartbeat: Heartbeat,
        watchdog_seconds: float = 300.0,
    ) -> None:
        self.clock = clock
        self.database = database
        self.bridge = AsyncBridge()
        self.stopping = threading.Event()
        self.vitals = Vitals(started_at=clock.now())
        self.run_id = heartbeat.run_id
        self._heartbeat = heartbeat
        self._watchdog_seconds = watchdog_seconds
        self._real_clock = SystemClock()
        self._progress_at = self._real_clock.monotonic()
        self._beat_at = float("-inf")
        self._failures = 0
        self._jitter = random.Random(os.getpid())
        # Another process does the work, and its heartbeat is the one to see.
        self.is_standing_by = False
        self._exit_code = ExitCode.OK
        self._error: AppError | None = None

    @abstractmethod
    def tick(self, now: datetime) -> None:
        """Do one pass as of `now`. Running it twice must change nothing more."""

    @abstractmethod
    def next_tick_at(self, now: datetime) -> datetime:
        """When the next pass is due, seen from `now`."""

    def after_pass(self) -> None:
        """Do what belongs to the end of every pass, a failed one too."""

    async def open(self) -> None:
        """Acquire what the process needs besides the database."""

    async def close(self) -> None:
        """Release what the process holds besides the database."""

    def progress(self, **detail: Any) -> None:
        """Say that a long pass is getting on; raises `Interrupted` when stopping."""
        self._progress_at = self._real_clock.monotonic()
        self.vitals.detail.update(detail)
        if self.stopping.is_set():
            raise Interrupted
        self._beat(ProcessState.RUNNING)

    def run(self) -> ExitCode:
        """Repeat `tick` until SIGTERM or SIGINT; returns the process's exit code.

        Raises an `AppError` that no later pass can mend: it is for the caller to say
        why, in one line, and to end with its exit code. Any other error is a defect:
        it is logged with its traceback and gives `ExitCode.FAILED`.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        worker = threading.Thread(target=self._work, name=self.name.value, daemon=True)
        worker.start()
        while worker.is_alive() and not self.stopping.wait(0.2):
            self._check_progress()
        self._stop(worker)
        if self._error is not None:
            raise self._error
        return self._exit_code

    # The worker thread

    def _work(self) -> None:
        try:
            self._beat(ProcessState.STARTING, is_forced=True)
            self.bridge.run(self.open())
            while not self.stopping.is_set():
                self._pass()
        except Interrupted:
            pass
        except Exception as error:
            self._fail(error)
        finally:
            self.bridge.close(self.close())
            self._say_goodbye()
            self.stopping.set()

    def _pass(self) -> None:
        now = self.clock.now()
        self.vitals.ticks += 1
        try:
            self.tick(now)
        except (RetryableError, OSError) as error:
            self._finish_pass()
            self._back_off(error)
            return
        self._finish_pass()
        self._failures = 0
        self.vitals.last_success_at = self.clock.now()
        self._beat(ProcessState.WAITING)
        self._wait_until(self.next_tick_at(now))

    def _finish_pass(self) -> None:
        try:
            self.after_pass()
        except RetryableError as error:
            log.warning("after_pass_failed", process=self.name.value, error=str(error))

    def _back_off(self, error: Exception) -> None:
        self._failures += 1
        self.vitals.errors += 1
        self.vitals.last_error = f"{type(error).__name__}: {error}"
        longest = min(_MAX_BACKOFF_SECONDS, 0.25 * 2 ** min(self._failures, 10))
        seconds = self._jitter.uniform(0, longest)
        log.warning(
            "pass_failed",
            process=self.name.value,
            error=self.vitals.last_error,
            retry_in_seconds=round(seconds, 2),
        )
        self._beat(ProcessState.BACKING_OFF)
        self._progress_at = self._real_clock.monotonic()
        # Real seconds: the trouble is in the real world, whatever time is replayed.
        self._real_clock.wait(self.stopping, seconds)

    def _wait_until(self, moment: datetime) -> None:
        # Elapsed time, not time of day: that stands still at a recording's end.
        left = (moment - self.clock.now()).total_seconds()
        due = self.clock.monotonic() + left
        while not self.stopping.is_set() and left > 0:
            self._progress_at = self._real_clock.monotonic()
            # Waiting in slices keeps the heartbeat fresh at any speed of the clock.
            self.clock.wait(self.stopping, min(left, self._slice_seconds()))
            self._beat(ProcessState.WAITING)
            left = due - self.clock.monotonic()
        self._progress_at = self._real_clock.monotonic()

    def _slice_seconds(self) -> float:
        speed: float = getattr(self.clock, "speed", 1.0)
        return _BEATS_WHILE_WAITING_SECONDS * speed

    def _beat(self, state: ProcessState, is_forced: bool = False) -> None:
        due = self._real_clock.monotonic() - self._beat_at >= _HEARTBEAT_SECONDS
        if self.is_standing_by or not (due or is_forced):
            return
        self._beat_at = self._real_clock.monotonic()
        try:
            self._heartbeat.beat(state, self.vitals, self.clock.now())
        except RetryableError as error:
            # The heartbeat is a report; the work itself decides what to do.
            log.warning("heartbeat_failed", process=self.name.value, error=str(error))

    def _fail(self, error: Exception) -> None:
        self.vitals.errors += 1
        self.vitals.last_error = f"{type(error).__name__}: {error}"
        if isinstance(error, AppError):
            self._error, self._exit_code = error, error.exit_code
            return
        self._exit_code = ExitCode.FAILED
        log.exception("process_failed", process=self.name.value)

    def _say_goodbye(self) -> None:
        if self.is_standing_by:
            return
        is_clean = self._exit_code is ExitCode.OK
        state = ProcessState.STOPPED if is_clean else ProcessState.FAILED
        try:
            self._heartbeat.beat(state, self.vitals, self.clock.now())
        except AppError as error:
            log.warning("heartbeat_failed", process=self.name.value, error=str(error))

    # The main thread

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopping.is_set():
            os._exit(128 + number)  # the second signal: at once
        self.stopping.set()

    def _check_progress(self) -> None:
        silent = self._real_clock.monotonic() - self._progress_at
        if silent <= self._watchdog_seconds:
            return
        log.error(
            "no_progress", process=self.name.value, silent_seconds=round(silent, 1)
        )
        faulthandler.dump_traceback(file=sys.stderr)
        sys.stderr.flush()
        os._exit(ExitCode.STALLED)

    def _stop(self, worker: threading.Thread) -> None:
        self.bridge.interrupt()
        worker.join(_JOIN_SECONDS)
        if worker.is_alive():
            self.database.cut_all()
            worker.join(_JOIN_AFTER_CUT_SECONDS)
        if worker.is_alive():
            log.warning("stopped_while_blocked", process=self.name.value)
            os._exit(self._exit_code)


def next_boundary(now: datetime, seconds: float) -> datetime:
    """The next multiple of `seconds` since midnight UTC, after `now`."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (now - midnight).total_seconds()
    return midnight + timedelta(seconds=(passed // seconds + 1) * seconds)
