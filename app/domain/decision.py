"""What a strategy or the risk rules answer: a signal, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from app.domain.timeframe import Timeframe


class Side(str, Enum):
    """Direction of a position."""

    LONG = "long"
    SHORT = "short"


class DecisionKind(str, Enum):
    """Whether a market was taken or passed over."""

    SIGNAL = "signal"
    REFUSAL = "refusal"


class ReasonCode(str, Enum):
    """Why a market was taken or passed over; stored, so never renamed."""

    # Strategy
    MOMENTUM_LONG = "momentum_long"
    SHORT_HISTORY = "short_history"
    STALE_DATA = "stale_data"
    GAP_IN_WINDOW = "gap_in_window"
    INDICATOR_WARMING_UP = "indicator_warming_up"
    TREND_DOWN = "trend_down"
    RSI_TOO_LOW = "rsi_too_low"
    RSI_TOO_HIGH = "rsi_too_high"
    MACD_NOT_RISING = "macd_not_rising"
    VOLUME_TOO_LOW = "volume_too_low"
    CONFIDENCE_TOO_LOW = "confidence_too_low"
    FLAT_MARKET = "flat_market"
    STOP_UNUSABLE = "stop_unusable"
    # Risk
    POSITION_OPEN = "position_open"
    POSITIONS_LIMIT = "positions_limit"
    NO_EQUITY = "no_equity"
    SIZE_TOO_SMALL = "size_too_small"


@dataclass(frozen=True, slots=True)
class Signal:
    """A reason to enter at the close of the bar that opened at `bar_at`.

    `evidence` holds the figures the rule looked at, by name.
    """

    symbol: str
    strategy: str
    timeframe: Timeframe
    bar_at: datetime
    side: Side
    confidence: float
    entry_price: Decimal
    stop_price: Decimal
    reason: ReasonCode
    evidence: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A market passed over at the close of the bar that opened at `bar_at`."""

    symbol: str
    strategy: str
    timeframe: Timeframe
    bar_at: datetime
    reason: ReasonCode
    evidence: Mapping[str, float | None]
    confidence: float | None = None
