"""Judges every member of the universe at a bar close and opens simulated trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.config.settings import Settings
from app.domain.decision import DecisionKind, ReasonCode, Refusal, Signal
from app.domain.market import MarketStatus
from app.domain.trade import TradeStatus
from app.models import (
    Cryptocurrency,
    ScanCursor,
    SeriesCursor,
    SimulatedTrade,
    UniverseMembership,
)
from app.models import Signal as SignalRow
from app.services.portfolio import read_portfolio
from app.services.windows import read_candle_windows
from app.strategies.base import BaseStrategy
from app.trading.portfolio_manager import Cashflow, Holding, PortfolioManager
from app.trading.risk_manager import PositionPlan, RiskManager

Decision = Signal | Refusal


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one call judged; `judged_at` is the close, None if none was ready."""

    judged_at: datetime | None = None
    signals: int = 0
    refusals: int = 0
    is_waiting: bool = False


class OpportunityScanner:
    """Judges one strategy's closes in order, each exactly once.

    A close is judged when every member's bars up to it are in and every trade open
    then was stepped to it, so the answer does not depend on who ran when. After
    `application.max_data_lag_seconds` it is judged with what there is.
    """

    def __init__(
        self, exchange: str, strategy: BaseStrategy, settings: Settings, run_id: UUID
    ) -> None:
        self.strategy = strategy
        self._exchange = exchange
        self._run_id = run_id
        self._patience = timedelta(seconds=settings.application.max_data_lag_seconds)
        self._initial_equity = settings.simulation.initial_equity
        self._risk = RiskManager(settings.risk, settings.simulation)

    def scan_next(self, session: Session, now: datetime) -> ScanResult:
        """Judge the next close in the caller's transaction, if it is ready."""
        # 1. The next close, with the cursor locked: one scanner at a time.
        cursor = self._cursor(session)
        if cursor is None:
            return ScanResult(is_waiting=True)
        close_at = self.strategy.timeframe.next_open(cursor.evaluated_through)
        if close_at > now:
            return ScanResult()
        members = UniverseMembership.get_members_at(session, self._exchange, close_at)
        is_overdue = now - close_at > self._patience
        if not is_overdue and not self._is_ready(session, members, close_at):
            return ScanResult(is_waiting=True)
        # 2. Decide.
        decisions = self._decide(session, members, close_at)
        # 3. Record decisions, opened trades and the cursor together.
        signals = self._record(session, members, decisions, close_at, now)
        cursor.evaluated_through = close_at
        cursor.run_id = self._run_id
        return ScanResult(close_at, signals, len(decisions) - signals)

    def _cursor(self, session: Session) -> ScanCursor | None:
        strategy, timeframe = self.strategy.name, self.strategy.timeframe
        cursor = ScanCursor.find(session, strategy, timeframe, lock=True)
        if cursor is not None:
            return cursor
        first = session.scalar(
            select(func.min(UniverseMembership.valid_from)).where(
                UniverseMembership.admitted
            )
        )
        if first is None:
            return None
        # Closes before there was a universe are nobody's to judge.
        inception = timeframe.floor(first)
        cursor = ScanCursor(
            strategy=strategy,
            timeframe=timeframe,
            inception_at=inception,
            evaluated_through=inception,
            run_id=self._run_id,
        )
        session.add(cursor)
        session.flush()
        return cursor

    def _is_ready(
        self, session: Session, members: Sequence[Cryptocurrency], close_at: datetime
    ) -> bool:
        timeframe = self.strategy.timeframe
        cursors = SeriesCursor.get_for_markets(session, [m.id for m in members])
        for market in members:
            cursor = cursors.get((market.id, timeframe))
            if cursor is None or cursor.watermark_at < close_at:
                return False
        # A halted market has no candles to step through; it must not hold up others.
        behind = (
            select(SimulatedTrade.id)
            .join(Cryptocurrency, Cryptocurrency.id == SimulatedTrade.cryptocurrency_id)
            .where(
                SimulatedTrade.status == TradeStatus.OPEN,
                SimulatedTrade.stepped_through < close_at,
                Cryptocurrency.status == MarketStatus.TRADING,
            )
        )
        return session.scalar(behind.limit(1)) is None

    def _decide(
        self, session: Session, members: Sequence[Cryptocurrency], close_at: datetime
    ) -> dict[int, Decision]:
        timeframe = self.strategy.timeframe
        bar_at = timeframe.shift(close_at, -1)
        windows = read_candle_windows(
            session, members, timeframe, bar_at, self.strategy.window_bars
        )
        return {
            market.id: self.strategy.evaluate(
                windows.get(market.id) or _empty(market, self.strategy), bar_at
            )
            for market in members
        }

    def _record(
        self,
        session: Session,
        members: Sequence[Cryptocurrency],
        decisions: Mapping[int, Decision],
        close_at: datetime,
        now: datetime,
    ) -> int:
        markets = {market.id: market for market in members}
        portfolio = read_portfolio(session, self._initial_equity, close_at)
        refusals: list[dict[str, Any]] = []
        signals = 0
        # The most confident first: positions are limited. Symbols break ties.
        order = sorted(
            decisions.items(),
            key=lambda item: (-(item[1].confidence or 0.0), item[1].symbol),
        )
        for market_id, decision in order:
            plan: PositionPlan | ReasonCode | None = None
            if isinstance(decision, Signal):
                plan = self._size(decision, markets[market_id], portfolio, close_at)
            row = self._row(market_id, decision, plan, now)
            if not isinstance(plan, PositionPlan):
                refusals.append(row)
                continue
            opened = SignalRow(**row)
            session.add(opened)
            session.flush()
            session.add(self._trade(opened, plan, close_at))
            portfolio.add(
                Holding(decision.symbol, close_at, None),
                [Cashflow(close_at, -plan.entry_fee)],
            )
            signals += 1
        if refusals:
            # Nearly everything is one: in bulk, without an object each.
            session.execute(insert(SignalRow), refusals)
        session.flush()
        return signals

    def _size(
        self,
        signal: Signal,
        market: Cryptocurrency,
        portfolio: PortfolioManager,
        close_at: datetime,
    ) -> PositionPlan | ReasonCode:
        return self._risk.size(
            signal, portfolio.at(close_at), market.amount_step, market.min_notional
        )

    def _row(
        self,
        market_id: int,
        decision: Decision,
        plan: PositionPlan | ReasonCode | None,
        now: datetime,
    ) -> dict[str, Any]:
        is_signal = isinstance(plan, PositionPlan)
        wanted = decision if isinstance(decision, Signal) else None
        return {
            "cryptocurrency_id": market_id,
            "strategy": decision.strategy,
            "timeframe": decision.timeframe,
            "bar_at": decision.bar_at,
            "kind": DecisionKind.SIGNAL if is_signal else DecisionKind.REFUSAL,
            "side": wanted.side if wanted else None,
            "confidence": decision.confidence,
            "entry_price": wanted.entry_price if wanted else None,
            "stop_price": wanted.stop_price if wanted else None,
            "reason": plan if isinstance(plan, ReasonCode) else decision.reason,
            "evidence": dict(decision.evidence),
            "decided_at": now,
            "run_id": self._run_id,
        }

    def _trade(
        self, row: SignalRow, plan: PositionPlan, close_at: datetime
    ) -> SimulatedTrade:
        return SimulatedTrade(
            signal_id=row.id,
            cryptocurrency_id=row.cryptocurrency_id,
            side=plan.side,
            status=TradeStatus.OPEN,
            entry_at=close_at,
            entry_price=plan.entry_price,
            quantity=plan.quantity,
            remaining_quantity=plan.quantity,
            initial_stop_price=plan.stop_price,
            stop_price=plan.stop_price,
            risk_amount=plan.risk_amount,
            take_profits=_targets(plan),
            next_target=0,
            entry_fee=plan.entry_fee,
            fees_total=plan.entry_fee,
            realised_pnl=-plan.entry_fee,
            is_trailing=False,
            best_price=plan.entry_price,
            worst_price=plan.entry_price,
            stepped_through=close_at,
            run_id=self._run_id,
        )


def _targets(plan: PositionPlan) -> list[dict[str, Any]]:
    return [
        {
            "price": str(target.price),
            "quantity": str(target.quantity),
            "fraction": str(
                (target.quantity / plan.quantity).quantize(Decimal("1e-6"))
            ),
        }
        for target in plan.targets
    ]


def _empty(market: Cryptocurrency, strategy: BaseStrategy) -> CandleWindow:
    nothing = np.empty(0)
    times = np.empty(0, dtype="datetime64[us]")
    return CandleWindow(
        market.symbol, strategy.timeframe, times, *(nothing for _ in range(5))
    )
