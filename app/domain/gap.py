"""Slots of a series for which no bar is stored."""

from __future__ import annotations

from enum import Enum


class GapStatus(str, Enum):
    """Where the repair of a gap stands."""

    OPEN = "open"
    REPAIRING = "repairing"
    FILLED = "filled"
    CONFIRMED_ABSENT = "confirmed_absent"


class GapReason(str, Enum):
    """Why the bars are missing; stored, so never renamed."""

    NO_TRADE = "no_trade"
    EXCHANGE_OUTAGE = "exchange_outage"
    MAINTENANCE = "maintenance"
    NOT_LISTED = "not_listed"
    OUR_DOWNTIME = "our_downtime"
    FETCH_FAILED = "fetch_failed"
    QUARANTINED = "quarantined"
    UNKNOWN = "unknown"
