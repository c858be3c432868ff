"""Bugs in keeping away from an exchange that asked for it."""

from __future__ import annotations

from typing import Any


def cooldown_ignored_after_restart() -> None:
    """A ban is remembered by the process that met it, and by nobody else."""
    from app.exchange.local_budget import LocalBudget
    from app.services import rate_budget

    def forgetful(
        database: Any, exchange: str, address: str, clock: Any = None
    ) -> LocalBudget:
        return LocalBudget(clock)

    rate_budget.DatabaseBudget = forgetful  # type: ignore[assignment, misc]
