"""What an exchange says about its markets, in our words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class MarketStatus(str, Enum):
    """Whether a market trades."""

    TRADING = "trading"
    HALTED = "halted"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True)
class Market:
    """One market on one exchange; `symbol` is ccxt's unified one (`BTC/USDT`)."""

    exchange: str
    symbol: str
    exchange_symbol: str
    base: str
    quote: str
    status: MarketStatus
    price_tick: float | None = None
    amount_step: float | None = None
    min_notional: float | None = None


@dataclass(frozen=True, slots=True)
class Ticker:
    """The last 24 hours of a market; volumes in base and in quote currency."""

    symbol: str
    at: datetime | None
    last: float
    bid: float | None
    ask: float | None
    high_24h: float | None
    low_24h: float | None
    base_volume_24h: float | None
    quote_volume_24h: float | None

    @property
    def spread_bps(self) -> float | None:
        """Bid/ask spread in basis points of the mid price, where both are known."""
        if self.bid is None or self.ask is None or self.bid + self.ask <= 0:
            return None
        return (self.ask - self.bid) / ((self.ask + self.bid) / 2) * 10_000

    @property
    def volatility_24h(self) -> float | None:
        """24 h range over its low, where both ends are known."""
        if not self.high_24h or not self.low_24h:
            return None
        return (self.high_24h - self.low_24h) / self.low_24h


@dataclass(frozen=True, slots=True)
class BookLevel:
    """Price and amount (base currency) of one order book level."""

    price: float
    amount: float


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Bids descending, asks ascending, as one reply gave them."""

    symbol: str
    at: datetime | None
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """One trade of the market; `taker_side` is `buy` or `sell` where known."""

    trade_id: str | None
    at: datetime
    price: float
    amount: float
    taker_side: str | None


@dataclass(frozen=True, slots=True)
class FundingRate:
    """Funding of a perpetual swap: rate as a fraction of notional."""

    symbol: str
    at: datetime | None
    rate: float
    next_at: datetime | None
