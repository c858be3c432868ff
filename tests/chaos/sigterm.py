"""A collector that runs by itself is told to stop while PostgreSQL keeps it waiting."""

from __future__ import annotations

import signal
import time
from typing import Any

from tests.chaos.bench import Bench, connect
from tests.chaos.child import Child

_LONGEST_STOP_SECONDS = 5.0
_BLOCKED = """
SELECT count(*) FROM pg_locks AS lock
JOIN pg_database AS base ON base.oid = lock.database
WHERE base.datname = current_database() AND NOT granted
"""
_PATIENCE_SECONDS = 5.0


def terminate_while_blocked(bench: Bench, url: str, order: dict[str, Any]) -> str:
    """What was wrong with how it stopped; nothing if it stopped in time, with 0."""
    connection = connect(url)
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute("LOCK TABLE series_cursors IN ACCESS EXCLUSIVE MODE")
    child = Child(bench.zygote, {**order, "runs": True})
    try:
        child.wait_until_ready()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            cursor.execute(_BLOCKED)
            row = cursor.fetchone()
            if row is not None and row[0]:
                break
            time.sleep(0.02)
        child.send(signal.SIGTERM)
        code = child.wait(_LONGEST_STOP_SECONDS)
    finally:
        connection.rollback()
        connection.close()
        child.kill()
    if code is None:
        return f"SIGTERM while blocked: still there after {_LONGEST_STOP_SECONDS} s"
    return "" if code == 0 else f"SIGTERM while blocked: exit code {code}"
