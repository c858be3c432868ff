"""Rows that most model tests need."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from sqlalchemy.orm import Session

from app.domain.decision import DecisionKind, ReasonCode, Side
from app.domain.gap import GapReason, GapStatus
from app.domain.market import MarketStatus
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe
from app.domain.trade import TradeStatus
from app.models import (
    ConfigurationHistory,
    Cryptocurrency,
    MarketContextRow,
    MarketDataFinding,
    MarketDataGap,
    MarketSnapshot,
    PerformanceMetrics,
    QuarantinedRow,
    Signal,
    SimulatedTrade,
    SnapshotLayout,
)
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds
from app.models.snapshot_layout import LayoutKey

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


def make_finding(key: int, run: uuid.UUID, at: datetime = T0) -> MarketDataFinding:
    """An unsaved finding about the close of a bar."""
    return MarketDataFinding(
        cryptocurrency_id=key,
        timeframe=Timeframe.M1,
        timestamp=at,
        rule="aggregate_differs",
        stored={"close": 101.5},
        expected={"close": 101.0},
        known_at=at,
        run_id=run,
    )


def make_gap(key: int, run_id: uuid.UUID, start: datetime = T0) -> MarketDataGap:
    """An unsaved open gap of two one-minute bars."""
    return MarketDataGap(
        cryptocurrency_id=key,
        timeframe=Timeframe.M1,
        starts_at=start,
        ends_at=start + 2 * MINUTE,
        slots=2,
        status=GapStatus.OPEN,
        reason=GapReason.UNKNOWN,
        detected_at=start,
        run_id=run_id,
    )


def make_snapshot(
    session: Session,
    key: int,
    run_id: uuid.UUID,
    at: datetime = T0,
    indicators: Mapping[str, float | None] = MappingProxyType(
        {"rsi": 61.5, "ema_200": None}
    ),
) -> MarketSnapshot:
    """An unsaved snapshot of five-minute indicators; None: warming up."""
    paths = {f"5m.{name}": value for name, value in indicators.items()}
    cold = tuple(path for path, value in paths.items() if value is None)
    layout = LayoutKey(("5m",), tuple(paths), cold)
    return MarketSnapshot(
        cryptocurrency_id=key,
        timestamp=at,
        known_at=at,
        last_price=100.0,
        bid_levels=2,
        book_prices=[99.5, 99.0, 100.5],
        book_amounts=[1.5, 2.0, 0.25],
        layout_id=SnapshotLayout.get_or_add(session, [layout])[layout],
        bar_at=[T0],
        regimes=[Regime.RANGING],
        figures=list(paths.values()),
        patterns={"5m": {"doji": 0.5}},
        run_id=run_id,
    )


def make_context(run_id: uuid.UUID) -> MarketContextRow:
    """Unsaved breadth of one market that rose."""
    return MarketContextRow(
        exchange="replay",
        timestamp=T0,
        timeframe=Timeframe.M5,
        known_at=T0,
        bar_at=T0 - 5 * MINUTE,
        markets=1,
        stale=0,
        advancing=1,
        declining=0,
        unchanged=0,
        judged_by_ema=1,
        above_ema=1,
        judged_by_range=0,
        new_highs=0,
        new_lows=0,
        breadth=1.0,
        btc_impulse="none",
        btc_impulse_atr=0.5,
        run_id=run_id,
    )


def make_metrics(trade: SimulatedTrade) -> PerformanceMetrics:
    """Unsaved figures of one winning trade."""
    return PerformanceMetrics(
        trade_id=trade.id,
        as_of=T0,
        trades=1,
        wins=1,
        losses=0,
        win_rate=1.0,
        expectancy=0.5,
        realised_pnl=Decimal("1.1"),
        fees=Decimal("0.3"),
        equity=Decimal("10001.1"),
        peak_equity=Decimal("10001.1"),
        drawdown=Decimal("0"),
        max_drawdown=Decimal("0"),
        run_id=trade.run_id,
    )


def make_refused(run_id: uuid.UUID, raw: str = "[1, null]") -> QuarantinedRow:
    """An unsaved refused candle."""
    return QuarantinedRow(
        exchange="replay",
        symbol="BTC/USDT",
        timeframe=Timeframe.M1,
        what="candle",
        rule="prices must be finite and above 0",
        raw=raw,
        known_at=T0,
        run_id=run_id,
    )
