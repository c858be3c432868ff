"""Steps open simulated trades through closed candles and keeps the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config.settings import RiskSettings, SimulationSettings
from app.domain.candle import Candle
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.domain.trade import ExitReason, TradeStatus
from app.models import (
    Cryptocurrency,
    MarketData,
    PartialExit,
    ScanCursor,
    SeriesCursor,
    SimulatedTrade,
)
from app.services.performance import record_closed_trades
from app.trading.exits import Exit, Target, TradeState, close_at_price, step
from app.trading.risk_manager import RiskManager


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one pass did; `stepped_through` is the instant all trades reached."""

    open_trades: int = 0
    exits: int = 0
    closed: int = 0
    stepped_through: datetime | None = None


class TradeManagementService:
    """Moves every open trade to the same instant, in one transaction.

    That instant is never past the next close the scanner has to judge: a trade
    opened there has to start from its own close, and the metrics of one instant
    must not be written before its trades are known.
    """

    def __init__(
        self, simulation: SimulationSettings, risk: RiskSettings, run_id: UUID
    ) -> None:
        self._frame = simulation.step_timeframe
        self._initial_equity = simulation.initial_equity
        self._rules = RiskManager(risk, simulation).exit_rules
        self._run_id = run_id

    def step_open_trades(self, session: Session, now: datetime) -> StepResult:
        """Step every open trade through the candles it has not seen."""
        trades = SimulatedTrade.get_open(session, lock=True)
        if not trades:
            return StepResult()
        # 1. How far we may go.
        markets = Cryptocurrency.get_by_ids(
            session, {trade.cryptocurrency_id for trade in trades}
        )
        ends = self._series_ends(session, trades)
        horizon = self._horizon(session, trades, markets, ends, now)
        # 2. Step each; what is sold commits with the state it leaves.
        exits = 0
        for trade in trades:
            market = markets[trade.cryptocurrency_id]
            is_gone = market.status is MarketStatus.DELISTED
            reach = horizon if is_gone else min(horizon, ends[market.id])
            exits += self._step(session, trade, market, reach)
        session.flush()
        # 3. Metrics, in the order of closing.
        closed = [trade for trade in trades if trade.status is TradeStatus.CLOSED]
        record_closed_trades(session, closed, self._initial_equity, self._run_id)
        return StepResult(len(trades) - len(closed), exits, len(closed), horizon)

    def _series_ends(
        self, session: Session, trades: Sequence[SimulatedTrade]
    ) -> dict[int, datetime]:
        """How far each traded market's candles are accounted for."""
        ids = {trade.cryptocurrency_id for trade in trades}
        cursors = SeriesCursor.get_for_markets(session, ids)
        ends = {}
        for trade in trades:
            series = cursors.get((trade.cryptocurrency_id, self._frame))
            ends[trade.cryptocurrency_id] = (
                series.watermark_at if series else trade.stepped_through
            )
        return ends

    def _horizon(
        self,
        session: Session,
        trades: Sequence[SimulatedTrade],
        markets: Mapping[int, Cryptocurrency],
        ends: Mapping[int, datetime],
        now: datetime,
    ) -> datetime:
        limits = [self._frame.floor(now)]
        for cursor in session.scalars(select(ScanCursor)):
            limits.append(cursor.timeframe.next_open(cursor.evaluated_through))
        for trade in trades:
            # A halted or delisted market has no candles; it must not hold up others.
            if markets[trade.cryptocurrency_id].status is MarketStatus.TRADING:
                limits.append(ends[trade.cryptocurrency_id])
        return min(limits)

    def _step(
        self,
        session: Session,
        trade: SimulatedTrade,
        market: Cryptocurrency,
        horizon: datetime,
    ) -> int:
        if horizon < trade.stepped_through:
            return 0
        is_gone = market.status is MarketStatus.DELISTED
        if is_gone and market.delisted_at is not None:
            # Sold when it was found gone, wherever the others stand by now.
            gone_at = max(trade.stepped_through, self._frame.ceil(market.delisted_at))
            is_gone = gone_at <= horizon
            horizon = min(horizon, gone_at)
        if horizon == trade.stepped_through and not is_gone:
            return 0
        bars = MarketData.get_range(
            session, market.id, self._frame, trade.stepped_through, horizon
        )
        state, exits = _to_state(trade, self._frame), 0
        last_close = None
        for bar in bars:
            close_at = self._frame.close_of(bar.timestamp)
            if close_at > horizon:
                break
            last_close = (close_at, Decimal(repr(bar.close)))
            # Held time counts missing bars too, wherever a pass happened to end.
            held = self._frame.count_bars(trade.entry_at, bar.timestamp)
            state = replace(state, bars_held=held)
            state, sold = step(state, _candle(bar), close_at, self._rules)
            exits += len(sold)
            self._store(session, trade, state, sold, close_at)
            if state.is_closed:
                return exits
        trade.stepped_through = horizon
        trade.run_id = self._run_id
        if is_gone:
            exits += self._close_delisted(session, trade, state, market, last_close)
        return exits

    def _close_delisted(
        self,
        session: Session,
        trade: SimulatedTrade,
        state: TradeState,
        market: Cryptocurrency,
        last_close: tuple[datetime, Decimal] | None,
    ) -> int:
        """Sell the rest at the last price there was."""
        if last_close is None:
            latest = MarketData.get_latest(session, market.id, self._frame, 1)
            price = Decimal(repr(latest[-1].close)) if latest else state.entry_price
        else:
            price = last_close[1]
        at = trade.stepped_through
        state, sold = close_at_price(state, price, at, ExitReason.DELISTED, self._rules)
        self._store(session, trade, state, (sold,), at)
        return 1

    def _store(
        self,
        session: Session,
        trade: SimulatedTrade,
        state: TradeState,
        exits: Sequence[Exit],
        at: datetime,
    ) -> None:
        for sold in exits:
            session.add(
                PartialExit(
                    trade_id=trade.id,
                    sequence=sold.sequence,
                    exited_at=sold.at,
                    price=sold.price,
                    quantity=sold.quantity,
                    fee=sold.fee,
                    pnl=sold.pnl,
                    reason=sold.reason,
                    run_id=self._run_id,
                )
            )
        trade.remaining_quantity = state.remaining
        trade.stop_price = state.stop
        trade.next_target = state.next_target
        trade.is_trailing = state.is_trailing
        trade.best_price = state.best_price
        trade.worst_price = state.worst_price
        trade.realised_pnl = state.realised_pnl
        trade.fees_total = state.fees
        trade.mfe = state.favourable_excursion
        trade.mae = state.adverse_excursion
        trade.stepped_through = at
        trade.run_id = self._run_id
        if state.is_closed:
            last = exits[-1]
            trade.status = TradeStatus.CLOSED
            trade.exit_at = last.at
            trade.exit_price = last.price
            trade.exit_reason = last.reason


def _candle(bar: MarketData) -> Candle:
    return Candle(bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume)


def _to_state(trade: SimulatedTrade, frame: Timeframe) -> TradeState:
    sold = Decimal(0)
    if trade.remaining_quantity < trade.quantity:
        sold = trade.quantity - trade.remaining_quantity
    targets = tuple(
        Target(Decimal(item["price"]), Decimal(item["quantity"]))
        for item in trade.take_profits
    )
    return TradeState(
        side=trade.side,
        entry_price=trade.entry_price,
        quantity=trade.quantity,
        remaining=trade.quantity - sold,
        initial_stop=trade.initial_stop_price,
        stop=trade.stop_price,
        targets=targets,
        next_target=trade.next_target,
        is_trailing=trade.is_trailing,
        best_price=trade.best_price,
        worst_price=trade.worst_price,
        bars_held=frame.count_bars(trade.entry_at, trade.stepped_through),
        realised_pnl=trade.realised_pnl,
        fees=trade.fees_total,
        # An exit a target: before the last sale, nothing else sells a part.
        exits=trade.next_target,
    )
