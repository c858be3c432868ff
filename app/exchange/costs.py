"""Request costs that venues have raised since ccxt wrote them down."""

from __future__ import annotations

# Units of ccxt, of which Binance's limit of 6,000 weight a minute makes 1,200 (its
# `rateLimit` of 50 ms): 5 weight each. Source: Binance spot API documentation, market
# data endpoints (aggTrades weight 4, trades and historicalTrades 25).
_RAISED = {
    "binance": {"aggTrades": 0.8, "trades": 5.0, "historicalTrades": 5.0},
}


def least_cost(venue: str, path: object) -> float:
    """Units that a request for `path` costs at least; 0 where ccxt is right."""
    return _RAISED.get(venue, {}).get(str(path), 0.0)
