"""Who is in a hurry: what takers bought and sold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from app.core.exceptions import BadData
from app.domain.market import PublicTrade


@dataclass(frozen=True, slots=True)
class TakerFlow:
    """Volumes that takers bought and sold, in one currency.

    Raises BadData for a volume that is negative or not finite.
    """

    bought: float
    sold: float

    def __post_init__(self) -> None:
        for name in ("bought", "sold"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise BadData(
                    f"taker volume {name} is {value}, must be finite and at least 0"
                )

    @property
    def buy_share(self) -> float | None:
        """Part that takers bought, in [0, 1]; None where nothing was traded."""
        total = self.bought + self.sold
        return self.bought / total if total > 0 else None

    @property
    def pressure(self) -> float | None:
        """(Bought - sold) / both, in [-1, 1]; None where nothing was traded."""
        share = self.buy_share
        return None if share is None else 2 * share - 1


def summarize_trades(trades: Iterable[PublicTrade]) -> TakerFlow:
    """Taker volumes of trades in the base currency; unknown sides are left out."""
    bought = sold = 0.0
    for trade in trades:
        if trade.taker_side == "buy":
            bought += trade.amount
        elif trade.taker_side == "sell":
            sold += trade.amount
    return TakerFlow(bought, sold)
