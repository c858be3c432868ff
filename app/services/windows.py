"""Windows of closed bars for many markets, read in one query."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from app.models import Cryptocurrency, MarketData


def read_candle_windows(
    session: Session,
    markets: Sequence[Cryptocurrency],
    timeframe: Timeframe,
    last_open_at: datetime,
    bars: int,
) -> dict[int, CandleWindow]:
    """The `bars` slots that end with `last_open_at`, by market key.

    Slots without a stored bar are left out of a window; a market without any bar in
    them is left out of the answer.
    """
    symbols = {market.id: market.symbol for market in markets}
    series = MarketData.get_for_indicators(
        session, list(symbols), timeframe, last_open_at, bars
    )
    return {
        key: CandleWindow(
            symbols[key],
            timeframe,
            window.open_at,
            window.open,
            window.high,
            window.low,
            window.close,
            window.volume,
        )
        for key, window in series.items()
    }
