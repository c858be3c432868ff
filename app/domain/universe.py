"""Why the market filter rejected a market."""

from __future__ import annotations

from enum import Enum


class RejectionReason(str, Enum):
    """Rules of the market filter; stored, so never renamed."""

    NOT_TRADING = "not_trading"
    DELISTED = "delisted"
    QUOTE_CURRENCY = "quote_currency"
    EXCLUDED = "excluded"
    NOT_SELECTED = "not_selected"
    NO_TICKER = "no_ticker"
    VOLUME_TOO_LOW = "volume_too_low"
    SPREAD_TOO_WIDE = "spread_too_wide"
    SPREAD_UNKNOWN = "spread_unknown"
    VOLATILITY_UNKNOWN = "volatility_unknown"
    VOLATILITY_TOO_LOW = "volatility_too_low"
    VOLATILITY_TOO_HIGH = "volatility_too_high"
    MARKET_CAP_TOO_LOW = "market_cap_too_low"
    RANK_TOO_LOW = "rank_too_low"
