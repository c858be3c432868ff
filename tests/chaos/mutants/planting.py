"""Plants one bug in a collector's process."""

from __future__ import annotations

from collections.abc import Callable

MUTANTS: dict[str, Callable[[], None]] = {}


def plant(name: str) -> None:
    """Put the bug `name` in force in this process; none for an empty name."""
    if name:
        MUTANTS[name]()
