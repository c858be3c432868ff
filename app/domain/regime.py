"""What kind of market a window of bars shows."""

from __future__ import annotations

from enum import Enum


class Regime(str, Enum):
    """State of a market on one time frame; stored, so never renamed."""

    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    RANGING = "ranging"
    VOLATILE = "volatile"
