"""A small stored market for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.config.settings import Settings
from app.domain.decision import ReasonCode, Refusal, Side, Signal
from app.domain.timeframe import Timeframe
from app.models import (
    Cryptocurrency,
    PartialExit,
    PerformanceMetrics,
    SimulatedTrade,
    UniverseMembership,
)
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds
from app.models.ingest import store_bars
from app.models.series_lock import lock_cursors
from app.strategies.base import BaseStrategy

T0 = datetime(2025, 1, 6, tzinfo=timezone.utc)
Prices = Sequence[tuple[float, float, float, float]]


def at(minute: float) -> datetime:
    """An instant of the test, in minutes from its start."""
    return T0 + timedelta(minutes=minute)


def admit(session: Session, market: Cryptocurrency, since: datetime = T0) -> None:
    """Let the market into the universe."""
    session.add(
        UniverseMembership(
            cryptocurrency_id=market.id,
            admitted=True,
            reasons=[],
            figures={},
            valid_from=since,
            run_id=market.run_id,
        )
    )
    session.flush()


def store_prices(
    session: Session,
    market: Cryptocurrency,
    timeframe: Timeframe,
    start: datetime,
    prices: Prices,
    volume: float = 1.0,
    without: Sequence[int] = (),
) -> None:
    """Store (open, high, low, close) bars but those `without`; move the watermark."""
    kept = [number for number in range(len(prices)) if number not in without]
    bars = np.zeros(len(kept), BAR_DTYPE)
    for row, number in enumerate(kept):
        open_at = to_microseconds(timeframe.shift(start, number))
        bars[row] = (open_at, *prices[number], volume)
    store_bars(session, [SeriesBars(market.id, timeframe, bars)], start)
    (cursor,) = lock_cursors(
        session, {(market.id, timeframe): start}, market.run_id
    ).values()
    cursor.watermark_at = timeframe.shift(start, len(prices))


def flat(price: float, count: int) -> list[tuple[float, float, float, float]]:
    """Bars that never move."""
    return [(price, price, price, price)] * count


class RisingStrategy(BaseStrategy):
    """Takes a five-minute bar that rose; the more volume, the more confident."""

    name: ClassVar[str] = "rising"

    @property
    def timeframe(self) -> Timeframe:
        return Timeframe.M5

    @property
    def bars_needed(self) -> int:
        return 2

    def decide(self, window: CandleWindow) -> Signal | Refusal:
        close, volume = float(window.close[-1]), float(window.volume[-1])
        evidence = {"close": close, "volume": volume}
        if close <= window.open[-1]:
            return self.refuse(window, ReasonCode.TREND_DOWN, evidence)
        return Signal(
            symbol=window.symbol,
            strategy=self.name,
            timeframe=self.timeframe,
            bar_at=window.last_open_at,
            side=Side.LONG,
            confidence=min(1.0, volume / 10),
            entry_price=Decimal(repr(close)),
            stop_price=Decimal(repr(round(close * 0.95, 8))),
            reason=ReasonCode.MOMENTUM_LONG,
            evidence=evidence,
        )


def settings(simulation: dict[str, Any] | None = None, **risk: Any) -> Settings:
    """No slippage, a fee of 0.1 %, unless asked for."""
    costs = {"slippage_bps": "0", "fee_rate": "0.001"} | (simulation or {})
    bounds = {"max_position_fraction": 0.25} | risk
    return Settings.model_validate({"simulation": costs, "risk": bounds})


def facts(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Trades, exits and metrics without the ids and times of their writing."""
    session.flush()
    session.expire_all()
    hidden = {"id", "signal_id", "trade_id", "run_id", "created_at", "updated_at"}
    tables: dict[str, list[tuple[Any, ...]]] = {}
    for model, order in (
        (SimulatedTrade, (SimulatedTrade.cryptocurrency_id, SimulatedTrade.entry_at)),
        (PartialExit, (PartialExit.exited_at, PartialExit.price, PartialExit.sequence)),
        (PerformanceMetrics, (PerformanceMetrics.trades,)),
    ):
        names = [c.name for c in model.__table__.columns if c.name not in hidden]
        rows = session.scalars(select(model).order_by(*order))
        tables[model.__tablename__] = [
            tuple(str(getattr(row, name)) for name in names) for row in rows
        ]
    return tables
