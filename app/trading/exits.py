"""Steps a simulated trade through candles: stops, staged targets, trailing, time.

Within a candle the order of prices is unknown, so the worse order is assumed: a
candle that touches both stop and target is stopped. A stop moved by a candle's
extreme applies from the next candle on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from app.domain.candle import Candle
from app.domain.decision import Side
from app.domain.trade import ExitReason
from app.trading.fees import FillCosts
from app.trading.money import money, value_of


@dataclass(frozen=True, slots=True)
class Target:
    """One stage of profit taking: sell `quantity` at `price`."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ExitRules:
    """Rules that move or end a trade; distances in R, the initial risk per unit."""

    trailing_after_r: Decimal
    trailing_distance_r: Decimal
    max_holding_bars: int
    costs: FillCosts


@dataclass(frozen=True, slots=True)
class TradeState:
    """A simulated trade between two candles.

    `best_price` and `worst_price` are the extremes since entry, seen from the trade.
    `realised_pnl` and `fees` include the entry fee.
    """

    side: Side
    entry_price: Decimal
    quantity: Decimal
    remaining: Decimal
    initial_stop: Decimal
    stop: Decimal
    targets: tuple[Target, ...]
    next_target: int
    is_trailing: bool
    best_price: Decimal
    worst_price: Decimal
    bars_held: int
    realised_pnl: Decimal
    fees: Decimal
    exits: int

    @property
    def is_closed(self) -> bool:
        """Whether everything was sold."""
        return self.remaining == 0

    @property
    def risk_per_unit(self) -> Decimal:
        """Distance from entry to the first stop: one R."""
        return abs(self.entry_price - self.initial_stop)

    @property
    def favourable_excursion(self) -> Decimal:
        """Best move per unit since entry (MFE), at least 0."""
        return max(Decimal(0), _sign(self.side) * (self.best_price - self.entry_price))

    @property
    def adverse_excursion(self) -> Decimal:
        """Worst move per unit since entry (MAE), at least 0."""
        return max(Decimal(0), _sign(self.side) * (self.entry_price - self.worst_price))


@dataclass(frozen=True, slots=True)
class Exit:
    """A sale: `sequence` from 1; `pnl` of this part after its own fee."""

    sequence: int
    at: datetime
    price: Decimal
    quantity: Decimal
    fee: Decimal
    pnl: Decimal
    reason: ExitReason


def step(
    state: TradeState, candle: Candle, close_at: datetime, rules: ExitRules
) -> tuple[TradeState, tuple[Exit, ...]]:
    """The trade after one closed candle, and what was sold in it.

    Exits are dated at the candle's close, when they became known. A candle that
    opens beyond the stop fills at its open; a target fills at its own price even if
    the candle opened beyond it.
    """
    if state.is_closed:
        raise ValueError("a closed trade cannot be stepped")
    open_, high, low, close = (
        money(Decimal(repr(price)))
        for price in (candle.open, candle.high, candle.low, candle.close)
    )
    is_long = state.side is Side.LONG
    best, worst = (high, low) if is_long else (low, high)
    state = replace(state, bars_held=state.bars_held + 1)
    # 1. The stop, before anything good may have happened.
    if (low <= state.stop) if is_long else (high >= state.stop):
        price = min(open_, state.stop) if is_long else max(open_, state.stop)
        # A fill at the open leaves the rest of the candle unseen.
        state = _widen(state, price, price)
        reason = ExitReason.TRAILING_STOP if state.is_trailing else ExitReason.STOP_LOSS
        state, sold = _sell(state, state.remaining, price, close_at, reason, rules)
        return state, (sold,)
    # 2. Targets, nearest first.
    state = _widen(state, best, worst)
    exits: list[Exit] = []
    while not state.is_closed and state.next_target < len(state.targets):
        target = state.targets[state.next_target]
        if (best < target.price) if is_long else (best > target.price):
            break
        quantity = min(target.quantity, state.remaining)
        state = replace(state, next_target=state.next_target + 1)
        state, sold = _sell(
            state, quantity, target.price, close_at, ExitReason.TAKE_PROFIT, rules
        )
        exits.append(sold)
    # 3. Time.
    if not state.is_closed and state.bars_held >= rules.max_holding_bars:
        state, sold = _sell(
            state, state.remaining, close, close_at, ExitReason.TIME_LIMIT, rules
        )
        exits.append(sold)
    # 4. The stop for the next candle.
    return (state if state.is_closed else _trail(state, rules)), tuple(exits)


def close_at_price(
    state: TradeState,
    price: Decimal,
    at: datetime,
    reason: ExitReason,
    rules: ExitRules,
) -> tuple[TradeState, Exit]:
    """Sell the rest at `price`, for a reason outside the candles."""
    return _sell(state, state.remaining, price, at, reason, rules)


def _sell(
    state: TradeState,
    quantity: Decimal,
    price: Decimal,
    at: datetime,
    reason: ExitReason,
    rules: ExitRules,
) -> tuple[TradeState, Exit]:
    filled = rules.costs.exit_price(price, state.side)
    fee = rules.costs.fee(quantity, filled)
    # Cost as the difference of cumulated costs: the parts sum to the whole exactly.
    sold = state.quantity - state.remaining
    cost = value_of(sold + quantity, state.entry_price) - value_of(
        sold, state.entry_price
    )
    proceeds = value_of(quantity, filled)
    pnl = money(_sign(state.side) * (proceeds - cost) - fee)
    after = replace(
        state,
        remaining=state.remaining - quantity,
        realised_pnl=state.realised_pnl + pnl,
        fees=state.fees + fee,
        exits=state.exits + 1,
    )
    return after, Exit(after.exits, at, filled, quantity, fee, pnl, reason)


def _widen(state: TradeState, best: Decimal, worst: Decimal) -> TradeState:
    if state.side is Side.LONG:
        return replace(
            state,
            best_price=max(state.best_price, best),
            worst_price=min(state.worst_price, worst),
        )
    return replace(
        state,
        best_price=min(state.best_price, best),
        worst_price=max(state.worst_price, worst),
    )


def _trail(state: TradeState, rules: ExitRules) -> TradeState:
    risk = state.risk_per_unit
    if state.favourable_excursion < rules.trailing_after_r * risk:
        return state
    sign = _sign(state.side)
    stop = money(state.best_price - sign * rules.trailing_distance_r * risk)
    is_tighter = stop > state.stop if state.side is Side.LONG else stop < state.stop
    return replace(state, stop=stop, is_trailing=True) if is_tighter else state


def _sign(side: Side) -> int:
    return 1 if side is Side.LONG else -1
