"""Lets a failpoint end or cut the database connections in use in this process."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.core.deadline import GuardedConnection

_TERMINATE = "SELECT pg_terminate_backend(pid) FROM unnest(%s::integer[]) AS pid"


class ConnectionsInUse:
    """The connections that are checked out of one engine's pool."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._in_use: set[GuardedConnection] = set()
        event.listen(engine, "checkout", self._on_checkout)
        event.listen(engine, "checkin", self._on_checkin)

    def terminate_backends(self) -> None:
        """Let the server end every connection in use; the next statement finds out."""
        victims = [connection.get_backend_pid() for connection in self._snapshot()]
        aside = self._engine.raw_connection()
        try:
            cursor = aside.cursor()
            cursor.execute(_TERMINATE, (victims,))
        finally:
            aside.close()

    def commit_and_cut(self) -> None:
        """Commit what is under way, then cut: the caller's own COMMIT will fail."""
        for connection in self._snapshot():
            connection.commit()
            # Without a transaction under way psycopg2 would send no COMMIT to fail.
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            connection.shut_down_socket()

    def _snapshot(self) -> list[GuardedConnection]:
        with self._lock:
            # One that broke while it was out is never checked in.
            return [connection for connection in self._in_use if not connection.closed]

    def _on_checkout(self, connection: Any, record: Any, proxy: Any) -> None:
        with self._lock:
            self._in_use.add(connection)

    def _on_checkin(self, connection: Any, record: Any) -> None:
        with self._lock:
            self._in_use.discard(connection)
