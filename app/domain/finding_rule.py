"""The checks that flag a stored bar; the bar stays as the exchange gave it."""

from __future__ import annotations

from enum import Enum


class FindingRule(str, Enum):
    """Stable ids of the checks; stored, so never renamed."""

    # Implausible: possible in principle, yet hardly a trade of this market.
    OPEN_OUTSIDE_RANGE = "open_outside_range"
    CLOSE_OUTSIDE_RANGE = "close_outside_range"
    PRICE_SPIKE = "price_spike"
    PRICE_JUMP = "price_jump"
    RANGE_WITHOUT_VOLUME = "range_without_volume"
    VOLUME_WITHOUT_RANGE = "volume_without_range"

    # A bar against the aggregate of the bars of a smaller time frame.
    AGGREGATE_OPEN = "aggregate_open"
    AGGREGATE_HIGH = "aggregate_high"
    AGGREGATE_LOW = "aggregate_low"
    AGGREGATE_CLOSE = "aggregate_close"
    AGGREGATE_VOLUME = "aggregate_volume"

    # A bar against the trades of its time.
    TRADES_OPEN = "trades_open"
    TRADES_HIGH = "trades_high"
    TRADES_LOW = "trades_low"
    TRADES_CLOSE = "trades_close"
    TRADES_VOLUME = "trades_volume"

    # A bar that the exchange once served and no longer does.
    BAR_VANISHED = "bar_vanished"

    def __str__(self) -> str:
        return self.value
