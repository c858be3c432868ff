"""What a process reports about itself, and the row it keeps for that."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from app.core.clock import SystemClock
from app.core.database import Database
from app.domain.process import ProcessName, ProcessState
from app.models import ProcessHeartbeat


@dataclass
class Vitals:
    """Counters of one process since it started."""

    started_at: datetime
    ticks: int = 0
    errors: int = 0
    last_success_at: datetime | None = None
    last_error: str | None = None
    lag_seconds: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Heartbeat:
    """Writes the heartbeat row of one process; each write replaces the last."""

    def __init__(self, database: Database, name: ProcessName, run_id: UUID) -> None:
        self._database = database
        self._name = name
        self._run_id = run_id
        self._real_clock = SystemClock()

    @property
    def run_id(self) -> UUID:
        """The run this process belongs to."""
        return self._run_id

    def beat(self, state: ProcessState, vitals: Vitals, now: datetime) -> None:
        """Store `state` and `vitals` as of `now`."""
        row: dict[str, Any] = {
            "process": self._name.value,
            "run_id": self._run_id,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "state": state,
            "started_at": vitals.started_at,
            "beat_at": now,
            "real_beat_at": self._real_clock.now(),
            "last_success_at": vitals.last_success_at,
            "lag_seconds": vitals.lag_seconds,
            "ticks": vitals.ticks,
            "errors": vitals.errors,
            "last_error": vitals.last_error,
            "detail": dict(vitals.detail),
        }
        statement = insert(ProcessHeartbeat).values(row)
        statement = statement.on_conflict_do_update(
            index_elements=[ProcessHeartbeat.process], set_=row
        )
        with self._database.session_scope() as session:
            session.execute(statement)
