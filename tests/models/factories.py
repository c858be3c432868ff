"""Rows that most model tests need."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
from sqlalchemy.orm import Session

from app.domain.decision import DecisionKind, ReasonCode, Side
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.domain.trade import TradeStatus
from app.models import (
    ConfigurationHistory,
    Cryptocurrency,
    Signal,
    SimulatedTrade,
)
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds

T0 = datetime(2025, 1, 6, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def add_run(
    session: Session, process: str = "collector", started_at: datetime = T0
) -> uuid.UUID:
    """A stored run; its id."""
    run = ConfigurationHistory(
        run_id=uuid.uuid4(),
        process=process,
        configuration={"exchange": {"id": "replay"}},
        sha256="0" * 64,
        code_version="0",
        started_at=started_at,
    )
    session.add(run)
    session.flush()
    return run.run_id


def add_market(
    session: Session,
    run_id: uuid.UUID,
    symbol: str = "BTC/USDT",
    status: MarketStatus = MarketStatus.TRADING,
) -> Cryptocurrency:
    """A stored market of the replay exchange."""
    base, quote = symbol.split("/")
    market = Cryptocurrency(
        exchange="replay",
        symbol=symbol,
        exchange_symbol=base + quote,
        base=base,
        quote=quote,
        status=status,
        first_seen_at=T0,
        last_seen_at=T0,
        run_id=run_id,
    )
    session.add(market)
    session.flush()
    return market


def make_bars(
    key: int = 1,
    count: int = 10,
    start: datetime = T0,
    price: float = 100.0,
    timeframe: Timeframe = Timeframe.M1,
) -> SeriesBars:
    """`count` consecutive bars of fixed length around `price`."""
    bars = np.zeros(count, BAR_DTYPE)
    step = int(timeframe.duration.total_seconds() * 1_000_000)
    bars["open_at"] = to_microseconds(start) + np.arange(count) * step
    bars["open"] = price + np.arange(count) / 7
    bars["high"] = bars["open"] + 1
    bars["low"] = bars["open"] - 1
    bars["close"] = bars["open"] + 0.5
    bars["volume"] = np.arange(count) * 1.1
    return SeriesBars(key, timeframe, bars)


def make_signal(market: Cryptocurrency, bar_at: datetime = T0) -> Signal:
    """An unsaved long signal."""
    return Signal(
        cryptocurrency_id=market.id,
        strategy="momentum",
        timeframe=Timeframe.M5,
        bar_at=bar_at,
        kind=DecisionKind.SIGNAL,
        side=Side.LONG,
        confidence=0.7,
        entry_price=Decimal("100.5"),
        stop_price=Decimal("99"),
        reason=ReasonCode.MOMENTUM_LONG,
        evidence={"rsi": 61.5, "adx": None},
        decided_at=bar_at + timedelta(minutes=5),
        run_id=market.run_id,
    )


def make_trade(signal: Signal) -> SimulatedTrade:
    """An unsaved open trade of a saved signal."""
    price = Decimal("100.5")
    return SimulatedTrade(
        signal_id=signal.id,
        cryptocurrency_id=signal.cryptocurrency_id,
        run_id=signal.run_id,
        side=Side.LONG,
        status=TradeStatus.OPEN,
        entry_at=signal.decided_at,
        entry_price=price,
        quantity=Decimal("2"),
        remaining_quantity=Decimal("2"),
        initial_stop_price=Decimal("99"),
        stop_price=Decimal("99"),
        risk_amount=Decimal("3"),
        take_profits=[{"price": "102", "quantity": "0.8", "fraction": 0.4}],
        entry_fee=Decimal("0.201"),
        fees_total=Decimal("0.201"),
        realised_pnl=Decimal("-0.201"),
        best_price=price,
        worst_price=price,
        stepped_through=signal.decided_at,
    )
