"""Why the market filter rejected a market, and which market lists are believed."""

from __future__ import annotations

from enum import Enum

# A list in which more of the trading markets are gone or halted is not believed.
LARGEST_SHRINK = 0.20


def is_collapse(trading: int, lost: int) -> bool:
    """Whether `lost` of so many trading markets at once is more than may happen.

    One market of a few may go; all of several at once never do. A truncated reply or
    a changed format explains it better, and ccxt reports neither as an error.
    """
    return lost > max(1, LARGEST_SHRINK * trading)


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
