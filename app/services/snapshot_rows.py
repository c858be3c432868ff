"""From windows of bars and views of the exchange to the rows of a boundary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from app.analysis.breadth import BreadthReading
from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.market_sentiment import WEIGHTS, MarketSentiment
from app.analysis.order_book import BookSummary, summarize_book
from app.analysis.sentiment.taker_flow import TakerFlow, summarize_trades
from app.analysis.sessions import session_flags
from app.analysis.snapshot.frame import FrameAnalysis, FrameReading
from app.analysis.window import CandleWindow
from app.domain.market import OrderBook, PublicTrade, Ticker
from app.domain.timeframe import Timeframe
from app.models import Cryptocurrency
from app.models.snapshot_layout import LayoutKey

_BENCHMARK_BASE = "BTC"

Windows = Mapping[Timeframe, Mapping[int, CandleWindow]]


@dataclass(frozen=True, slots=True)
class MarketView:
    """What the exchange said about one market just now; parts may be missing."""

    ticker: Ticker | None
    book: OrderBook | None
    trades: tuple[PublicTrade, ...] | None = None


@dataclass(frozen=True, slots=True)
class SnapshotBatch:
    """All rows of a boundary: each snapshot's columns but its layout, the layouts in
    the same order, and one context a time frame."""

    boundary: datetime
    snapshots: tuple[dict[str, Any], ...]
    layouts: tuple[LayoutKey, ...]
    contexts: tuple[dict[str, Any], ...]


class SnapshotBuilder:
    """Makes the rows of a boundary; no clock, no database, no network.

    The shortest time frame carries mood and correlation, the middle one `regime`. Mood
    and correlation are those of the boundary: bars that end earlier have none.
    """

    def __init__(
        self, timeframes: Sequence[Timeframe], analysis: FrameAnalysis, exchange: str
    ) -> None:
        self.timeframes = tuple(sorted(timeframes, key=lambda frame: frame.duration))
        self.analysis = analysis
        self._exchange = exchange
        self._analyzer = MarketAnalyzer()
        self._sentiment = MarketSentiment()
        self._fast = self.timeframes[0]
        self._middle = len(self.timeframes) // 2
        self._frame_names = tuple(frame.value for frame in self.timeframes)
        self.names = (
            *(f"{frame}.{n}" for frame in self._frame_names for n in analysis.names),
            *(f"sentiment.{part}" for part in WEIGHTS),
            "sentiment.weight",
        )

    def requirements(self) -> dict[str, Any]:
        """What every figure is and needs, by time frame, to store with a run."""
        return {
            frame.value: self.analysis.requirements(frame) for frame in self.timeframes
        }

    def build(
        self,
        markets: Sequence[Cryptocurrency],
        views: Mapping[str, MarketView],
        windows: Windows,
        boundary: datetime,
        known_at: datetime,
        run_id: UUID,
    ) -> SnapshotBatch:
        """One snapshot a market, by its key, and one context a time frame."""
        ordered = sorted(markets, key=lambda market: market.id)
        common = {"timestamp": boundary, "known_at": known_at, "run_id": run_id}
        breadths = {
            frame: self._analyzer.breadth(
                {w.symbol: w for w in windows.get(frame, {}).values()}
            )
            for frame in self.timeframes
        }
        contexts = tuple(
            self._context(frame, breadths[frame], ordered, windows) | common
            for frame in self.timeframes
        )
        flags = session_flags(boundary)
        common |= {f"is_{name}": asdict(flags)[name] for name in _SESSIONS}
        common["is_weekend"] = flags.is_weekend
        last = self._fast.last_closed(boundary)
        fast = {
            key: window
            for key, window in windows.get(self._fast, {}).items()
            if len(window) and window.last_open_at == last
        }
        bitcoins = _bitcoins(ordered, fast)
        # With no market up to date, the breadth is that of an earlier bar.
        mood_breadth = breadths[self._fast] if fast else None
        rows, layouts = [], []
        for market in ordered:
            view = views.get(market.symbol) or MarketView(None, None)
            readings = [
                self._read(frame, windows.get(frame, {}).get(market.id))
                for frame in self.timeframes
            ]
            layouts.append(self._layout(readings))
            own = fast.get(market.id)
            benchmark = bitcoins.get(market.quote)
            rows.append(
                {"cryptocurrency_id": market.id}
                | self._bars_part(readings)
                | _book_part(view)
                | self._mood_part(own, view, mood_breadth, readings)
                | self._company_part(own, benchmark)
                | common
            )
        return SnapshotBatch(boundary, tuple(rows), tuple(layouts), contexts)

    def _read(self, frame: Timeframe, window: CandleWindow | None) -> FrameReading:
        return self.analysis.read(window or CandleWindow.from_candles("", frame, ()))

    def _layout(self, readings: Sequence[FrameReading]) -> LayoutKey:
        cold = [
            f"{frame.value}.{name}"
            for frame, reading in zip(self.timeframes, readings, strict=True)
            for name in self.analysis.warming_up(frame, reading.bars)
        ]
        bars = readings[0].bars
        needs = self._sentiment.needs
        cold += [f"sentiment.{part}" for part, need in needs.items() if bars < need]
        if bars < self._analyzer.needs["correlation"]:
            cold += ["btc_correlation", "btc_beta"]
        return LayoutKey(self._frame_names, self.names, tuple(cold))

    def _bars_part(self, readings: Sequence[FrameReading]) -> dict[str, Any]:
        return {
            "bar_at": [reading.bar_at for reading in readings],
            "regimes": [reading.regime for reading in readings],
            "regime": readings[self._middle].regime,
            "patterns": {
                frame.value: reading.patterns.to_json()
                for frame, reading in zip(self.timeframes, readings, strict=True)
                if reading.patterns.readings
            },
        }

    def _mood_part(
        self,
        window: CandleWindow | None,
        view: MarketView,
        breadth: BreadthReading | None,
        readings: Sequence[FrameReading],
    ) -> dict[str, Any]:
        window = window or CandleWindow.from_candles("", self._fast, ())
        mood = self._sentiment.score(
            window, _summary(view), flow=_flow(view), breadth=breadth
        )
        figures = [figure for reading in readings for figure in reading.figures]
        figures += [*mood.parts.values(), mood.weight]
        return {"figures": packed(figures), **_reals({"sentiment": mood.score})}

    def _company_part(
        self, window: CandleWindow | None, benchmark: CandleWindow | None
    ) -> dict[str, Any]:
        if window is None or benchmark is None:
            return {"btc_correlation": None, "btc_beta": None}
        return _reals(
            {
                "btc_correlation": self._analyzer.btc_correlation(window, benchmark),
                "btc_beta": self._analyzer.btc_beta(window, benchmark),
            }
        )

    def _context(
        self,
        frame: Timeframe,
        breadth: BreadthReading,
        markets: Sequence[Cryptocurrency],
        windows: Windows,
    ) -> dict[str, Any]:
        found = windows.get(frame, {})
        quotes = [market.quote for market in markets]
        # Several Bitcoins: the one quoted in what most markets are.
        bitcoins = sorted(
            (m for m in markets if m.base == _BENCHMARK_BASE and m.id in found),
            key=lambda market: (-quotes.count(market.quote), market.id),
        )
        impulse = (
            self._analyzer.btc_impulse(found[bitcoins[0].id]) if bitcoins else None
        )
        direction = impulse.direction if impulse else None
        return {
            "exchange": self._exchange,
            "timeframe": frame,
            "bar_at": max((w.last_open_at for w in found.values()), default=None),
            **asdict(breadth),
            "breadth": breadth.score,
            "btc_impulse": direction.value if direction else None,
            "btc_impulse_atr": impulse.size_atr if impulse else None,
        }


_SESSIONS = ("asia", "london", "new_york")


def _bitcoins(
    markets: Sequence[Cryptocurrency], windows: Mapping[int, CandleWindow]
) -> dict[str, CandleWindow]:
    """Bars of BTC by the currency it is quoted in."""
    return {
        market.quote: windows[market.id]
        for market in markets
        if market.base == _BENCHMARK_BASE and market.id in windows
    }


def packed(figures: Sequence[float | None]) -> list[float | None]:
    """Figures as reals can hold them: rounded to 24 bits, None beyond their range."""
    with np.errstate(over="ignore", invalid="ignore"):
        reals = np.array(figures, np.float64).astype(np.float32)
    values: list[float | None] = reals.astype(np.float64).tolist()
    for place in np.flatnonzero(~np.isfinite(reals)).tolist():
        values[place] = None
    return values


def _summary(view: MarketView) -> BookSummary | None:
    return summarize_book(view.book) if view.book is not None else None


def _flow(view: MarketView) -> TakerFlow | None:
    return summarize_trades(view.trades) if view.trades is not None else None


def _book_part(view: MarketView) -> dict[str, Any]:
    ticker, book, summary = view.ticker, view.book, _summary(view)
    levels = (*book.bids, *book.asks) if book else ()
    return {
        "last_price": ticker.last if ticker else None,
        "bid": summary.best_bid if summary else None,
        "ask": summary.best_ask if summary else None,
        "bid_levels": len(book.bids) if book else None,
        "book_prices": [level.price for level in levels] if book else None,
        "book_amounts": packed([level.amount for level in levels]) if book else None,
        **_reals(
            {
                "quote_volume_24h": ticker.quote_volume_24h if ticker else None,
                "spread_bps": summary.spread_bps if summary else None,
                "bid_depth": summary.bid_depth if summary else None,
                "ask_depth": summary.ask_depth if summary else None,
                "book_imbalance": summary.imbalance if summary else None,
            }
        ),
    }


def _reals(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return dict(zip(values, packed(list(values.values())), strict=True))
