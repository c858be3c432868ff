"""Whether a market leans up or down, from its bars, its book and who trades it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.analysis.breadth import BreadthReading
from app.analysis.order_book import BookSummary
from app.analysis.sentiment.derivatives import (
    Derivatives,
    funding_tilt,
    interest_tilt,
)
from app.analysis.sentiment.price_and_volume import (
    accumulation,
    momentum,
    range_position,
    volume_pressure,
)
from app.analysis.sentiment.taker_flow import TakerFlow
from app.analysis.window import CandleWindow

# Parts that are always there weigh as much as those that depend on what is collected.
WEIGHTS: Mapping[str, float] = {
    "momentum": 0.25,
    "range_position": 0.10,
    "volume": 0.10,
    "accumulation": 0.10,
    "order_book": 0.15,
    "taker_flow": 0.10,
    "breadth": 0.10,
    "funding": 0.05,
    "open_interest": 0.05,
}


@dataclass(frozen=True, slots=True)
class SentimentReading:
    """Score in [-1, 1], positive is bullish, with the parts it was made from.

    Each part is in [-1, 1], or None where it could not be judged: too few bars, or
    what it needs was not given. The score is the mean of the others by `WEIGHTS`, None
    where there is none; `weight` is the sum of their weights, 1 where all are known.
    """

    score: float | None = None
    weight: float = 0.0
    momentum: float | None = None
    range_position: float | None = None
    volume: float | None = None
    accumulation: float | None = None
    order_book: float | None = None
    taker_flow: float | None = None
    breadth: float | None = None
    funding: float | None = None
    open_interest: float | None = None

    @property
    def parts(self) -> dict[str, float | None]:
        """The parts by their names in `WEIGHTS`."""
        return {name: getattr(self, name) for name in WEIGHTS}


class MarketSentiment:
    """Scores a window of closed bars with what else is known of its market."""

    def __init__(
        self,
        *,
        momentum_bars: int = 12,
        range_bars: int = 50,
        volume_bars: int = 20,
    ) -> None:
        self._momentum_bars = momentum_bars
        self._range_bars = range_bars
        self._volume_bars = volume_bars

    @property
    def needs(self) -> dict[str, int]:
        """Bars after which each part that is read from bars can be judged."""
        return {
            "momentum": self._momentum_bars + 1,
            "range_position": self._range_bars,
            "volume": self._volume_bars,
            "accumulation": self._volume_bars,
        }

    @property
    def bars_needed(self) -> int:
        """Bars after which all of them can be."""
        return max(self.needs.values())

    def score(
        self,
        window: CandleWindow,
        book: BookSummary | None = None,
        *,
        flow: TakerFlow | None = None,
        breadth: BreadthReading | None = None,
        derivatives: Derivatives | None = None,
    ) -> SentimentReading:
        """Sentiment at the window's last bar.

        Everything else must have been known at that bar's close: the caller sees to it.
        """
        push = momentum(window, self._momentum_bars)
        swap = derivatives or Derivatives()
        parts = {
            "momentum": push,
            "range_position": range_position(window, self._range_bars),
            "volume": volume_pressure(window, self._volume_bars),
            "accumulation": accumulation(window, self._volume_bars),
            "order_book": book.imbalance if book is not None else None,
            "taker_flow": flow.pressure if flow is not None else None,
            "breadth": breadth.score if breadth is not None else None,
            "funding": funding_tilt(swap),
            "open_interest": interest_tilt(swap, push),
        }
        known = {name: part for name, part in parts.items() if part is not None}
        if not known:
            return SentimentReading()
        weight = sum(WEIGHTS[name] for name in known)
        total = sum(WEIGHTS[name] * part for name, part in known.items())
        return SentimentReading(max(-1.0, min(1.0, total / weight)), weight, **parts)
