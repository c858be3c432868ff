"""Whether a market leans up or down, from its own price, volume and order book."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.analysis.order_book import BookSummary
from app.analysis.window import CandleWindow


@dataclass(frozen=True, slots=True)
class SentimentReading:
    """Score in [-1, 1], positive is bullish, with the parts it was made from.

    A part that could not be judged is None; the score is the weighted mean of the
    others, None where there is none.
    """

    score: float | None
    momentum: float | None
    volume: float | None
    order_book: float | None


WEIGHTS: Mapping[str, float] = {"momentum": 0.4, "volume": 0.3, "order_book": 0.3}


class MarketSentiment:
    """Scores a window of closed bars and, where there is one, the order book."""

    def __init__(self, *, momentum_bars: int = 12, volume_bars: int = 20) -> None:
        self._momentum_bars = momentum_bars
        self._volume_bars = volume_bars

    @property
    def bars_needed(self) -> int:
        """Bars after which momentum and volume can both be judged."""
        return max(self._momentum_bars + 1, self._volume_bars)

    def score(
        self, window: CandleWindow, book: BookSummary | None = None
    ) -> SentimentReading:
        """Sentiment at the window's last bar."""
        parts = {
            "momentum": self._momentum(window),
            "volume": self._volume_pressure(window),
            "order_book": book.imbalance if book is not None else None,
        }
        known = {name: part for name, part in parts.items() if part is not None}
        weight = sum(WEIGHTS[name] for name in known)
        total = sum(WEIGHTS[name] * part for name, part in known.items())
        return SentimentReading(
            score=max(-1.0, min(1.0, total / weight)) if known else None, **parts
        )

    def _momentum(self, window: CandleWindow) -> float | None:
        """tanh of the log return over the bars, in its own random-walk deviations."""
        bars = self._momentum_bars
        if len(window) <= bars:
            return None
        returns = np.diff(np.log(window.close[-bars - 1 :]))
        walk = math.sqrt(float(returns @ returns))
        return math.tanh(float(returns.sum()) / walk) if walk > 0 else 0.0

    def _volume_pressure(self, window: CandleWindow) -> float | None:
        """(Volume of rising bars - of falling bars) / all volume; 0 without volume."""
        if len(window) < self._volume_bars:
            return None
        recent = window.last(self._volume_bars)
        traded = float(recent.volume.sum())
        if traded <= 0:
            return 0.0
        direction = np.sign(recent.close - recent.open)
        return float(np.clip(direction @ recent.volume / traded, -1.0, 1.0))
