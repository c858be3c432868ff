"""What perpetual swaps say about who is positioned how."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.core.exceptions import BadData

# Binance's interest component is 0.01 % for 8 hours: what longs pay when nobody leans.
NEUTRAL_FUNDING = 0.0001
# Rates beyond this distance from it are crowded; it is where tanh bends.
CROWDED_FUNDING = 0.0005
# A change of open interest by this part is a large one.
LARGE_INTEREST_CHANGE = 0.05
_HOURS = 8.0


@dataclass(frozen=True, slots=True)
class Derivatives:
    """Funding and open interest of a market's perpetual swap, where known.

    `funding_rate` is the part of the notional that longs pay for `funding_hours`;
    `interest_change` the relative change of open interest over about the bars that
    momentum looks at (0.05 is 5 % more). Raises BadData for a value that is not finite
    and for hours that are not above 0.
    """

    funding_rate: float | None = None
    interest_change: float | None = None
    funding_hours: float = _HOURS

    def __post_init__(self) -> None:
        for name in ("funding_rate", "interest_change"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise BadData(f"{name} is {value}, must be finite")
        if not (math.isfinite(self.funding_hours) and self.funding_hours > 0):
            raise BadData(f"funding_hours is {self.funding_hours}, must be above 0")


def funding_tilt(derivatives: Derivatives) -> float | None:
    """Which side pays to hold its position, in [-1, 1]; positive where longs do.

    A mood and no forecast: extremes of it are what contrarians trade against.
    """
    if derivatives.funding_rate is None:
        return None
    rate = derivatives.funding_rate * (_HOURS / derivatives.funding_hours)
    return math.tanh((rate - NEUTRAL_FUNDING) / CROWDED_FUNDING)


def interest_tilt(derivatives: Derivatives, momentum: float | None) -> float | None:
    """Whether money follows the move, in [-1, 1]; None without a move to judge.

    Momentum times the change of open interest: new positions confirm a move, closed
    ones (short covering, liquidated longs) speak against its lasting.
    """
    if derivatives.interest_change is None or momentum is None:
        return None
    return momentum * math.tanh(derivatives.interest_change / LARGE_INTEREST_CHANGE)
