"""A background process that misbehaves on request, in this process or its own.

`python -m tests.processes.probe MODE RUN_ID` with DATABASE_URL set.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from app.config.settings import DatabaseSettings
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import AppError
from app.domain.process import ProcessName
from app.models import Cryptocurrency
from app.processes.base import BaseProcess
from app.processes.heartbeat import Heartbeat


class Probe(BaseProcess):
    """Calls `work` with itself at each tick."""

    name: ClassVar[ProcessName] = ProcessName.SCANNER

    def __init__(
        self,
        database: Database,
        run_id: UUID,
        work: Callable[[Probe], None],
        watchdog_seconds: float = 300.0,
    ) -> None:
        heartbeat = Heartbeat(database, self.name, run_id)
        super().__init__(SystemClock(), database, heartbeat, watchdog_seconds)
        self._work_once = work

    def tick(self, now: datetime) -> None:
        self._work_once(self)

    def next_tick_at(self, now: datetime) -> datetime:
        return now + timedelta(seconds=0.05)


def lock_the_markets(probe: Probe) -> None:
    """Block in the database for as long as somebody else holds a row."""
    with probe.database.session_scope() as session:
        session.scalars(select(Cryptocurrency).with_for_update()).all()


def never_return(probe: Probe) -> None:
    """Block where nothing can interrupt it."""
    print("stuck", flush=True)
    threading.Event().wait()


WORK = {"locked": lock_the_markets, "stuck": never_return, "stalled": never_return}


def main() -> None:
    """Run the probe of the mode given until it ends."""
    mode, run_id = sys.argv[1], UUID(sys.argv[2])
    patient = DatabaseSettings(
        lock_timeout_seconds=600, statement_deadline_seconds=3600
    )
    database = Database(patient, os.environ["DATABASE_URL"], application_name="probe")
    watchdog = 0.5 if mode == "stalled" else 300.0
    try:
        sys.exit(Probe(database, run_id, WORK[mode], watchdog).run())
    except AppError as error:
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main()
