"""`crypto-bot status` and `crypto-bot healthcheck`."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path

from rich.console import Console

from app.bootstrap import load_settings, open_database
from app.cli.tables import status_view
from app.core.clock import SystemClock
from app.domain.process import ProcessName, ProcessState
from app.services.status import SystemStatus, read_status

_ALIVE = frozenset(
    {
        ProcessState.STARTING,
        ProcessState.RUNNING,
        ProcessState.WAITING,
        ProcessState.BACKING_OFF,
    }
)


def show_status(config: Path | None, is_json: bool) -> None:
    """Print the status once, as tables or as JSON."""
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "status") as database:
        with database.session_scope() as session:
            status = read_status(session)
    if is_json:
        print(json.dumps(dataclasses.asdict(status), default=_plain, indent=2))
        return
    Console().print(status_view(status, _market_time(status)))


def is_healthy(config: Path | None, name: ProcessName, max_age_seconds: float) -> bool:
    """Whether the process's last heartbeat is recent and says it is alive."""
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "healthcheck") as database:
        with database.session_scope() as session:
            processes = read_status(session, lines=0).processes
    now = SystemClock().now()
    for row in processes:
        if row.process == name.value:
            age = (now - row.real_beat_at).total_seconds()
            return row.state in _ALIVE and age <= max_age_seconds
    return False


def _market_time(status: SystemStatus) -> datetime:
    """The newest heartbeat's time: right for a replay, which has its own."""
    beats = [row.beat_at for row in status.processes]
    return max(beats) if beats else SystemClock().now()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
