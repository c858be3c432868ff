"""A client-side deadline on every statement, through psycopg2's own classes.

Behind a black hole that still acknowledges packets neither `statement_timeout`, nor
keepalives, nor `tcp_user_timeout` ends a call, and Python runs no signal handler
while psycopg2 blocks in C. So one thread per process watches the statements in
flight and shuts the socket of a late one down, at which libpq returns by itself.
psycopg2's wait callback would do too, but `COPY` does not work under one.
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import connection as _Connection
from psycopg2.extensions import cursor as _Cursor

from app.core.clock import SystemClock

_monotonic = SystemClock().monotonic  # a network time-out: real time, always
_T = TypeVar("_T")
_block_deadline: ContextVar[float | None] = ContextVar("block_deadline", default=None)


class StatementCut(psycopg2.OperationalError):
    """The guard shut the connection down while a statement was in flight."""

    def __init__(self, message: str, *, late: bool) -> None:
        super().__init__(message)
        self.late = late


class Watch:
    """One statement in flight."""

    __slots__ = ("connection", "seconds", "due", "cut_reason", "late")

    def __init__(self, connection: GuardedConnection, seconds: float) -> None:
        self.connection = connection
        self.seconds = seconds
        self.due = _monotonic() + seconds
        self.cut_reason = ""
        self.late = False


class StatementGuard:
    """Watches the statements in flight; one thread, started when first needed.

    A statement costs two short turns of a lock. The thread is woken only when a
    statement is due before everything it already waits for, so not per statement.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._condition = threading.Condition()  # reentrant: signal handlers
        self._in_flight: set[Watch] = set()
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self, connection: GuardedConnection) -> Watch:
        """Begin to watch a statement on `connection`."""
        seconds = _block_deadline.get()
        watch = Watch(
            connection, connection.deadline_seconds if seconds is None else seconds
        )
        with self._condition:
            self._in_flight.add(watch)
            if self._thread is None:
                self._wakes_at = watch.due
                self._thread = threading.Thread(
                    target=self._run, name="statement-guard", daemon=True
                )
                self._thread.start()
            elif watch.due < self._wakes_at:
                self._wakes_at = watch.due
                self._condition.notify()
        return watch

    def finish(self, watch: Watch) -> None:
        """The statement returned; its connection is not touched after this."""
        with self._condition:
            self._in_flight.discard(watch)

    def cut(self, owner: object, reason: str) -> int:
        """Cut every statement in flight on connections of `owner`; how many."""
        with self._condition:
            mine = [w for w in self._in_flight if w.connection.owner is owner]
            for watch in mine:
                self._shut_down(watch, reason)
        return len(mine)

    def _run(self) -> None:
        with self._condition:
            while True:
                now = _monotonic()
                for watch in [w for w in self._in_flight if w.due <= now]:
                    watch.late = True
                    self._shut_down(watch, "deadline")
                self._wakes_at = min(
                    (watch.due for watch in self._in_flight), default=float("inf")
                )
                idle = self._wakes_at == float("inf")
                self._condition.wait(None if idle else self._wakes_at - now)

    def _shut_down(self, watch: Watch, reason: str) -> None:
        self._in_flight.discard(watch)
        watch.cut_reason = reason
        watch.connection.shut_down_socket()


_guard = StatementGuard()
# A child process has none of its parent's threads.
os.register_at_fork(after_in_child=_guard._reset)


@contextmanager
def statement_deadline(seconds: float) -> Iterator[None]:
    """Give each statement of the block `seconds` instead of the usual deadline."""
    token = _block_deadline.set(seconds)
    try:
        yield
    finally:
        _block_deadline.reset(token)


def find_block_deadline() -> float | None:
    """Seconds of the innermost `statement_deadline` block, or None outside one."""
    return _block_deadline.get()


def cut_statements(owner: object, reason: str) -> int:
    """Cut every statement in flight on connections of `owner`; how many there were.

    Each of them raises `StatementCut`. Safe from any thread and signal handler.
    """
    return _guard.cut(owner, reason)


class GuardedCursor(_Cursor):
    """A cursor whose statements have a deadline; COPY works."""

    connection: GuardedConnection

    def execute(self, query: Any, vars: Any = None) -> None:
        self.connection.guarded(super().execute, query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        self.connection.guarded(super().executemany, query, vars_list)

    def callproc(self, procname: Any, parameters: Any = None, /) -> None:
        self.connection.guarded(super().callproc, procname, parameters)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self.connection.guarded(super().copy_expert, sql, file, size)

    def copy_from(self, *args: Any, **kwargs: Any) -> None:
        self.connection.guarded(super().copy_from, *args, **kwargs)

    def copy_to(self, *args: Any, **kwargs: Any) -> None:
        self.connection.guarded(super().copy_to, *args, **kwargs)


class GuardedServerCursor(GuardedCursor):
    """A named cursor: its rows come from the server as they are asked for."""

    def fetchone(self) -> Any:
        return self.connection.guarded(super().fetchone)

    def fetchmany(self, size: int | None = None) -> Any:
        wanted = self.itersize if size is None else size
        return self.connection.guarded(super().fetchmany, wanted)

    def fetchall(self) -> Any:
        return self.connection.guarded(super().fetchall)

    def scroll(self, value: int, mode: Any = "relative") -> None:
        self.connection.guarded(super().scroll, value, mode)

    def close(self) -> None:
        self.connection.guarded(super().close)

    def __next__(self) -> Any:
        return self.connection.guarded(super().__next__)


class GuardedConnection(_Connection):
    """A connection on which no call outlasts `deadline_seconds`.

    Connecting itself is bounded by libpq's `connect_timeout`. `owner` tells whose
    statements `cut_statements` cuts.
    """

    def __init__(
        self, dsn: str, *, owner: object, deadline_seconds: float, **kwargs: Any
    ) -> None:
        super().__init__(dsn, **kwargs)
        self.owner = owner
        self.deadline_seconds = deadline_seconds
        # A duplicate of our own: libpq closes its descriptor on some errors, and the
        # number may belong to another connection by the time a deadline passes.
        self._descriptor = os.dup(self.fileno())
        self._release = weakref.finalize(self, os.close, self._descriptor)

    def guarded(self, call: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """`call(*args, **kwargs)`, cut when late; then raises `StatementCut`."""
        watch = _guard.start(self)
        try:
            return call(*args, **kwargs)
        except psycopg2.Error as error:
            if watch.cut_reason:
                raise StatementCut(
                    (
                        f"connection cut after {watch.seconds:g} s without an answer"
                        if watch.late
                        else f"connection cut: {watch.cut_reason}"
                    ),
                    late=watch.late,
                ) from error
            raise
        finally:
            _guard.finish(watch)

    def shut_down_socket(self) -> None:
        """Make a call that blocks on this connection return. For the guard."""
        duplicate = socket.socket(fileno=self._descriptor)
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was quicker
        finally:
            duplicate.detach()

    def cursor(  # type: ignore[override]
        self, name: Any = None, cursor_factory: Any = None, **kwargs: Any
    ) -> Any:
        usual = GuardedCursor if name is None else GuardedServerCursor
        return super().cursor(name, cursor_factory or usual, **kwargs)

    def commit(self) -> None:
        self.guarded(super().commit)

    def rollback(self) -> None:
        self.guarded(super().rollback)

    def reset(self) -> None:
        self.guarded(super().reset)

    def set_session(self, *args: Any, **kwargs: Any) -> None:
        self.guarded(super().set_session, *args, **kwargs)

    def close(self) -> None:
        if self._release.alive:
            try:
                self.guarded(super().close)
            finally:
                self._release()
