"""States and reasons of simulated trades."""

from __future__ import annotations

from enum import Enum


class TradeStatus(str, Enum):
    """Whether a simulated trade still holds a quantity."""

    OPEN = "open"
    CLOSED = "closed"


class ExitReason(str, Enum):
    """What sold a part of a simulated trade, or its rest."""

    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    TRAILING_STOP = "trailing_stop"
    TIME_LIMIT = "time_limit"
    DELISTED = "delisted"
