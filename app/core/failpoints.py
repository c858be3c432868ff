"""Places where a test may make this process die, stall or fail; off by default.

`fp("store.after_bars")` marks a step boundary. It does nothing unless the environment
variable `CRYPTO_BOT_FAILPOINTS` names it, for example

    collector.before_fetch=kill@3;store.after_copy=raise:WriteConflict

which kills the process at the third pass through the first point and raises at the
first pass through the second (`@*`: at every pass).
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Protocol, assert_never

from app.core.clock import SystemClock
from app.core.failpoint_plan import (
    VARIABLE,
    Action,
    Failpoint,
    error_named,
    parse,
    seconds_of,
)


class ConnectionFaults(Protocol):
    """What only the owner of the database connections can do."""

    def terminate_backends(self) -> None:
        """Let the server end the connections in use here."""

    def commit_and_cut(self) -> None:
        """Commit the transactions under way and cut their connections."""


class _Armed:
    """The instructions in force and how often each point was passed."""

    def __init__(self, points: Iterable[Failpoint]) -> None:
        self._points = tuple(points)
        self._passes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def strike(self, name: str) -> None:
        with self._lock:
            self._passes[name] += 1
            passed = self._passes[name]
        for point in self._points:
            if point.name == name and point.hit in (0, passed):
                _act(point)


_armed: _Armed | None = None
_connections: ConnectionFaults | None = None


def fp(name: str) -> None:
    """Pass the step boundary `name`; nothing happens unless it was armed."""
    if _armed is not None:
        _armed.strike(name)


def is_armed() -> bool:
    """Whether any failpoint is armed in this process."""
    return _armed is not None


def arm(text: str) -> None:
    """Put the instructions in `text` in force, or none for an empty one.

    Raises ConfigurationError for a point or an action that does not exist.
    """
    global _armed
    points = parse(text)
    _armed = _Armed(points) if points else None


def arm_from_environment() -> None:
    """`arm` by the environment variable, unless something is armed already."""
    if _armed is None and os.environ.get(VARIABLE):
        arm(os.environ[VARIABLE])


def use_connections(faults: ConnectionFaults) -> None:
    """Say who ends and cuts database connections when a failpoint asks for it."""
    global _connections
    _connections = faults


def _act(point: Failpoint) -> None:
    match point.action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Action.RAISE:
            raise error_named(point.argument)(f"failpoint {point.name}")
        case Action.SLEEP:
            clock = SystemClock()
            clock.wait(threading.Event(), seconds_of(point.argument or "0.1"))
        case Action.TERMINATE_BACKEND:
            if _connections is not None:
                _connections.terminate_backends()
        case Action.CUT_AFTER_COMMIT:
            if _connections is not None:
                _connections.commit_and_cut()
        case _:
            assert_never(point.action)
