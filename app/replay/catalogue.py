"""The symbols of the simulated market and what is peculiar about each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Role(str, Enum):
    """What a symbol is there to exercise."""

    LIQUID = "liquid"
    DELISTED = "delisted"
    ILLIQUID = "illiquid"
    RECENT = "recent"
    LOW_VOLUME = "low_volume"
    WIDE_SPREAD = "wide_spread"
    CALM = "calm"
    WILD = "wild"
    OTHER_QUOTE = "other_quote"


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """Character of one simulated symbol.

    `volatility` is the daily standard deviation of the part of the log return that
    is its own, `beta` how much of the market factor comes on top, `daily_volume`
    the usual 24 h volume in the quote currency. Decimals are those of tick and lot.
    """

    base: str
    quote: str
    price: float
    price_decimals: int
    lot_decimals: int
    beta: float
    volatility: float
    daily_volume: float
    spread_bps: float
    role: Role = Role.LIQUID

    @property
    def symbol(self) -> str:
        """Binance's name, for example `BTCUSDT`."""
        return self.base + self.quote


# The order interleaves the peculiar with the ordinary: a small market has some of
# each, and the first twenty have one of every role.
_CATALOGUE = (
    SymbolSpec("BTC", "USDT", 98_000.0, 2, 5, 1.0, 0.010, 1.6e9, 0.4),
    SymbolSpec("ETH", "USDT", 3_600.0, 2, 4, 1.15, 0.014, 9.0e8, 0.6),
    SymbolSpec("SOL", "USDT", 205.0, 2, 3, 1.3, 0.024, 4.5e8, 1.0),
    SymbolSpec("WAVES", "USDT", 1.62, 4, 2, 0.9, 0.030, 6.0e6, 7.0, Role.DELISTED),
    SymbolSpec("BNB", "USDT", 705.0, 2, 3, 0.9, 0.014, 2.2e8, 0.9),
    SymbolSpec("XRP", "USDT", 2.38, 4, 1, 1.1, 0.026, 5.0e8, 1.0),
    SymbolSpec("BTC", "EUR", 94_500.0, 2, 5, 1.0, 0.010, 4.0e7, 1.5, Role.OTHER_QUOTE),
    SymbolSpec("DOGE", "USDT", 0.372, 5, 0, 1.35, 0.028, 4.0e8, 1.0),
    SymbolSpec("USDC", "USDT", 1.0, 4, 0, 0.0, 0.00015, 8.0e8, 1.0, Role.CALM),
    SymbolSpec("ADA", "USDT", 1.05, 4, 1, 1.2, 0.026, 1.8e8, 1.5),
    SymbolSpec("IDEX", "USDT", 0.0621, 5, 0, 0.9, 0.030, 1.6e5, 6.0, Role.LOW_VOLUME),
    SymbolSpec("LINK", "USDT", 23.4, 3, 2, 1.15, 0.024, 9.0e7, 2.0),
    SymbolSpec("NULS", "USDT", 0.412, 4, 0, 0.8, 0.028, 3.2e6, 13.0, Role.ILLIQUID),
    SymbolSpec("AVAX", "USDT", 42.0, 3, 2, 1.25, 0.026, 8.0e7, 2.0),
    SymbolSpec("ARDR", "USDT", 0.1042, 5, 0, 0.9, 0.03, 5.0e6, 60.0, Role.WIDE_SPREAD),
    SymbolSpec("DOT", "USDT", 7.6, 3, 2, 1.1, 0.024, 7.0e7, 2.0),
    SymbolSpec("BOME", "USDT", 0.00712, 6, 0, 0.8, 0.060, 9.0e7, 3.0, Role.WILD),
    SymbolSpec("LTC", "USDT", 112.0, 2, 3, 0.95, 0.020, 6.0e7, 1.5),
    SymbolSpec("USUAL", "USDT", 0.982, 4, 1, 1.0, 0.040, 3.0e7, 4.0, Role.RECENT),
    SymbolSpec("NEAR", "USDT", 5.7, 3, 1, 1.2, 0.028, 5.5e7, 2.5),
    SymbolSpec("UNI", "USDT", 14.2, 3, 2, 1.15, 0.026, 4.5e7, 2.5),
    SymbolSpec("ATOM", "USDT", 6.9, 3, 2, 1.05, 0.024, 3.0e7, 3.0),
    SymbolSpec("FIL", "USDT", 5.4, 3, 2, 1.15, 0.026, 3.0e7, 3.0),
    SymbolSpec("TRX", "USDT", 0.262, 4, 1, 0.7, 0.016, 8.0e7, 2.0),
    SymbolSpec("XLM", "USDT", 0.445, 4, 0, 1.1, 0.028, 5.0e7, 2.5),
    SymbolSpec("AAVE", "USDT", 318.0, 2, 3, 1.2, 0.028, 4.0e7, 2.5),
    SymbolSpec("ARB", "USDT", 0.87, 4, 1, 1.25, 0.028, 3.5e7, 3.0),
    SymbolSpec("OP", "USDT", 2.04, 3, 2, 1.25, 0.028, 3.0e7, 5.0),
    SymbolSpec("SUI", "USDT", 4.9, 4, 1, 1.3, 0.032, 1.5e8, 1.5),
    SymbolSpec("PEPE", "USDT", 0.0000208, 8, 0, 1.4, 0.036, 2.0e8, 5.0),
)


def symbol_specs(count: int) -> tuple[SymbolSpec, ...]:
    """The first `count` symbols; beyond the named ones they are numbered.

    A symbol's character does not depend on `count`.
    """
    named = _CATALOGUE[:count]
    return named + tuple(_numbered(i) for i in range(len(named), count))


def _numbered(index: int) -> SymbolSpec:
    """An ordinary mid-size coin whose figures vary with its number."""
    return SymbolSpec(
        base=f"SIM{index:04d}",
        quote="USDT",
        price=(1 + index % 9) * 10.0 ** (index % 4 - 1),
        price_decimals=4,
        lot_decimals=2,
        beta=0.8 + index % 7 / 10,
        volatility=0.020 + index % 5 / 250,
        daily_volume=5e6 * (1 + index % 12),
        spread_bps=2.0 + index % 6,
    )
