"""The live screen of `crypto-bot up`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from app.cli.tables import status_view, summary_line
from app.core.clock import Clock, SystemClock
from app.core.database import Database
from app.core.exceptions import RetryableError
from app.processes.supervisor import ChildStatus, Supervisor
from app.services.status import SystemStatus, read_status

_REFRESH_SECONDS = 1.0
_PLAIN_SECONDS = 5.0
# Height of everything above the newest decisions and trades, and the width from
# which those two tables stand side by side.
_LINES_ABOVE = 32
_WIDTH_FOR_BOTH = 152
# Below this height the tables of counts give way to one line.
_HEIGHT_FOR_ALL = 40


class Watch:
    """Shows the system until told to stop, and looks after what it is given."""

    def __init__(
        self,
        console: Console,
        database: Database,
        clock: Clock,
        supervisors: Sequence[Supervisor],
        keep_alive: Callable[[], None],
    ) -> None:
        self._console = console
        self._database = database
        self._clock = clock
        self._supervisors = supervisors
        self._keep_alive = keep_alive
        self._real_clock = SystemClock()
        self._status: SystemStatus | None = None
        self._trouble = ""

    def run(
        self, stop: threading.Event, seconds: float | None, is_plain: bool
    ) -> ChildStatus | None:
        """Run until `stop`, or for `seconds`; the child that gave up, if one did."""
        started = self._real_clock.monotonic()
        is_screen = self._console.is_terminal and not is_plain
        pause = _REFRESH_SECONDS if is_screen else _PLAIN_SECONDS
        with Live(console=self._console, auto_refresh=False, transient=False) as live:
            shown = float("-inf")
            while not stop.is_set():
                now = self._real_clock.monotonic()
                if seconds is not None and now - started >= seconds:
                    break
                failed = self._find_failed()
                if failed is not None:
                    return failed
                self._keep_alive()
                if now - shown >= pause:
                    shown = now
                    self._read()
                    self._show(live, is_screen)
                stop.wait(0.2)
        return None

    def _find_failed(self) -> ChildStatus | None:
        for supervisor in self._supervisors:
            status = supervisor.failed_for_good()
            if status is not None:
                return status
        return None

    def _read(self) -> None:
        try:
            with self._database.session_scope() as session:
                self._status = read_status(session, self._lines())
            self._trouble = ""
        except RetryableError as error:
            self._trouble = f"database: {error}"

    def _lines(self) -> int:
        """Newest decisions and trades that fit below the other tables."""
        beside = self._console.width >= _WIDTH_FOR_BOTH
        if self._console.height < _HEIGHT_FOR_ALL:
            return 2 if self._console.height < 30 else 4
        spare = self._console.height - _LINES_ABOVE
        return max(2, min(8, spare if beside else spare // 2 - 3))

    def _has_ended(self, now: datetime) -> bool:
        """Whether a recording was replayed to its end."""
        ends_at: datetime | None = getattr(self._clock, "ends_at", None)
        return ends_at is not None and now >= ends_at

    def _show(self, live: Live, is_screen: bool) -> None:
        restarts = {
            child.name: child.restarts
            for supervisor in self._supervisors
            for child in supervisor.statuses()
        }
        now = self._clock.now()
        if not is_screen:
            line = self._trouble or summary_line(self._status, now, restarts)
            line += " | the recording has ended" if self._has_ended(now) else ""
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
            return
        parts = []
        if self._status:
            is_compact = self._console.height < _HEIGHT_FOR_ALL
            parts = [status_view(self._status, now, restarts, is_compact)]
        if self._has_ended(now):
            parts.append(Text("The recording has ended.", style="yellow"))
        if self._trouble:
            parts.append(Text(self._trouble, style="red"))
        parts.append(Text("Ctrl-C stops everything; a new start resumes.", style="dim"))
        live.update(Group(*parts), refresh=True)
