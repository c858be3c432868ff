"""Premium and discount: where price stands in its dealing range."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.analysis._views import both_views
from app.analysis.structure.swings import SWING_LENGTH, SwingBars, swing_bars
from app.analysis.window import CandleWindow

# Within this part of the range around its middle, price is in neither half.
EQUILIBRIUM_WIDTH = 0.1


class PriceZone(str, Enum):
    """Part of the dealing range."""

    PREMIUM = "premium"
    EQUILIBRIUM = "equilibrium"
    DISCOUNT = "discount"


@dataclass(frozen=True, slots=True)
class DealingRange:
    """The range since the newest swings, and the last close in it.

    `top` is the highest price since the newest confirmed swing high, that one included,
    `bottom` the lowest since the newest swing low. `position` is 0 at the bottom and 1
    at the top.
    """

    top: float
    bottom: float
    position: float

    @property
    def zone(self) -> PriceZone:
        """Which half the last close is in."""
        if abs(self.position - 0.5) <= EQUILIBRIUM_WIDTH / 2:
            return PriceZone.EQUILIBRIUM
        return PriceZone.PREMIUM if self.position > 0.5 else PriceZone.DISCOUNT


def find_dealing_range(
    window: CandleWindow, *, swing_length: int = SWING_LENGTH
) -> DealingRange | None:
    """The range at the last bar.

    None before a swing of each kind is confirmed, and where price never moved.
    """
    highs, lows = (swing_bars(view, swing_length) for view in both_views(window))
    return range_since(highs, lows)


def range_since(highs: SwingBars, lows: SwingBars) -> DealingRange | None:
    """The range since the newest of these swings, as `find_dealing_range` gives it."""
    if not len(highs.bars) or not len(lows.bars):
        return None
    top = float(highs.view.high[highs.bars[-1] :].max())
    bottom = -float(lows.view.high[lows.bars[-1] :].max())
    if top <= bottom:
        return None
    position = (float(highs.view.close[-1]) - bottom) / (top - bottom)
    return DealingRange(top, bottom, min(1.0, max(0.0, position)))
