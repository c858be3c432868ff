"""The simulated account as it stood at any instant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Cashflow:
    """Profit or loss that became real at `at`: an entry fee, or a part sold."""

    at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """A position from entry until its last exit (None: still held)."""

    symbol: str
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """The account at one instant: realised equity and what is held."""

    equity: Decimal
    symbols: frozenset[str]
    open_positions: int


@dataclass
class PortfolioManager:
    """Answers what the account was at an instant, from entries and exits.

    Judging a close at t must not depend on how far trades were stepped since, so
    only what happened at or before t counts.
    """

    initial_equity: Decimal
    cashflows: list[Cashflow] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)

    def add(self, holding: Holding, cashflows: Iterable[Cashflow]) -> None:
        """Take in a position and what it has realised so far."""
        self.holdings.append(holding)
        self.cashflows.extend(cashflows)

    def at(self, moment: datetime) -> PortfolioView:
        """The account at `moment`, exits of that very moment included."""
        held = [
            holding
            for holding in self.holdings
            if holding.entered_at <= moment
            and (holding.left_at is None or holding.left_at > moment)
        ]
        realised = sum(
            (flow.amount for flow in self.cashflows if flow.at <= moment), Decimal(0)
        )
        return PortfolioView(
            equity=self.initial_equity + realised,
            symbols=frozenset(holding.symbol for holding in held),
            open_positions=len(held),
        )
