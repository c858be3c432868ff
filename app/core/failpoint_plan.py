"""Which failpoints there are, and how instructions for them are written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from app.core import exceptions
from app.core.exceptions import ConfigurationError, RetryableError

VARIABLE = "CRYPTO_BOT_FAILPOINTS"

NAMES = frozenset(
    (
        "collector.before_fetch",
        "collector.after_fetch",
        "collector.after_tick",
        "store.after_lock",
        "store.after_copy",
        "store.after_merge",
        "store.after_bars",
        "store.after_gaps",
        "store.before_commit",
        "store.after_commit",
        "database.before_commit",
        "database.after_commit",
    )
)
"""Every step boundary that has a failpoint."""

_COMMITS = "database.before_commit"


class Action(str, Enum):
    """What happens at a failpoint."""

    KILL = "kill"  # SIGKILL: nothing is cleaned up
    STOP = "stop"  # SIGSTOP, until somebody sends SIGCONT
    RAISE = "raise"  # raise:NAME of a retryable error
    SLEEP = "sleep"  # sleep:SECONDS, real ones
    TERMINATE_BACKEND = "terminate_backend"  # the server drops our connections
    CUT_AFTER_COMMIT = "cut_after_commit"  # it commits, and we never hear


class InjectedFault(RetryableError):
    """Raised at a failpoint that was told to raise."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """One instruction; `hit` is the pass at which it strikes, 0 for every pass."""

    name: str
    action: Action
    argument: str = ""
    hit: int = 1


def parse(text: str) -> tuple[Failpoint, ...]:
    """The instructions in `text`, separated by semicolons.

    Raises ConfigurationError with the nearest name where one is unknown.
    """
    return tuple(_point(part.strip()) for part in text.split(";") if part.strip())


def _point(text: str) -> Failpoint:
    name, _, rest = text.partition("=")
    what, _, when = rest.partition("@")
    word, _, argument = what.partition(":")
    if name not in NAMES:
        raise _unknown("failpoint", name, NAMES)
    actions = [action.value for action in Action]
    if word not in actions:
        raise _unknown("action", word, actions)
    if when not in ("", "*") and not (when.isdecimal() and int(when) > 0):
        raise ConfigurationError(
            f"{VARIABLE}: {text}: {when!r} is neither a pass (1, 2, ...) nor *"
        )
    action = Action(word)
    if action is Action.RAISE:
        error_named(argument)
    elif action in (Action.SLEEP, Action.STOP) and argument:
        seconds_of(argument)
    elif action is Action.CUT_AFTER_COMMIT and name != _COMMITS:
        raise ConfigurationError(
            f"{VARIABLE}: {text}: only {_COMMITS} stands right before a COMMIT"
        )
    return Failpoint(name, action, argument, 0 if when == "*" else int(when or 1))


def error_named(name: str) -> type[RetryableError]:
    """The retryable error called `name` (InjectedFault without one)."""
    if not name:
        return InjectedFault
    found = getattr(exceptions, name, None)
    if isinstance(found, type) and issubclass(found, RetryableError):
        return found
    known = [
        word
        for word, kind in vars(exceptions).items()
        if isinstance(kind, type) and issubclass(kind, RetryableError)
    ]
    raise _unknown("error to raise", name, known)


def seconds_of(text: str) -> float:
    """`text` as seconds, 0 to 3600."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ConfigurationError(
            f"{VARIABLE}: {text!r} is no number of seconds from 0 to 3600"
        )
    return seconds


def _unknown(what: str, word: str, known: Iterable[str]) -> ConfigurationError:
    nearest = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.0)
    return ConfigurationError(
        f"{VARIABLE}: unknown {what} {word!r}; did you mean {nearest[0]!r}?"
    )
