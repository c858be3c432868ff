"""A closed OHLCV bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed bar; prices in the quote currency, volume in the base currency."""

    open_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    def impossibility(self) -> str | None:
        """Why no market can have produced this bar, or None if one could have."""
        prices = (self.open, self.high, self.low, self.close)
        if not all(math.isfinite(price) and price > 0 for price in prices):
            return f"prices must be finite and above 0, got {prices}"
        if not (math.isfinite(self.volume) and self.volume >= 0):
            return f"volume must be finite and at least 0, got {self.volume}"
        if self.high < self.low:
            return f"high {self.high} is below low {self.low}"
        return None
