"""Exchanges' joined names of markets, such as BTCUSDT, taken apart."""

from __future__ import annotations

# Longest first, so that FDUSD is not read as USD.
QUOTES = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD", "EUR", "GBP", "TRY", "BRL"),
    *("JPY", "BTC", "ETH", "BNB"),
)


def split_pair(joined: str) -> tuple[str, str] | None:
    """(base, quote) of `joined`; None where it ends with no known quote currency."""
    for quote in QUOTES:
        if joined.endswith(quote) and joined != quote:
            return joined.removesuffix(quote), quote
    return None
