"""Trades and candles that the tests of this room step."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from app.domain.candle import Candle
from app.domain.decision import Side
from app.trading.exits import Exit, ExitRules, Target, TradeState, step
from app.trading.fees import FillCosts

START = datetime(2025, 1, 6, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def d(text: str) -> Decimal:
    """A decimal, shorter to write."""
    return Decimal(text)


def rules(
    fee: str = "0",
    slippage: str = "0",
    after: str = "100",
    distance: str = "1",
    bars: int = 1000,
) -> ExitRules:
    """Rules that neither trail nor end a trade unless asked to."""
    return ExitRules(d(after), d(distance), bars, FillCosts(d(fee), d(slippage)))


def trade(
    side: Side = Side.LONG,
    stop: str = "95",
    targets: tuple[tuple[str, str], ...] = (),
    entry_fee: str = "0",
) -> TradeState:
    """Ten units entered at 100; targets as (price, quantity)."""
    return TradeState(
        side=side,
        entry_price=d("100"),
        quantity=d("10"),
        remaining=d("10"),
        initial_stop=d(stop),
        stop=d(stop),
        targets=tuple(Target(d(price), d(quantity)) for price, quantity in targets),
        next_target=0,
        is_trailing=False,
        best_price=d("100"),
        worst_price=d("100"),
        bars_held=0,
        realised_pnl=-d(entry_fee),
        fees=d(entry_fee),
        exits=0,
    )


def walk(
    state: TradeState,
    prices: list[tuple[float, float, float, float]],
    by: ExitRules,
) -> tuple[TradeState, list[Exit]]:
    """Step through (open, high, low, close) candles until one closes the trade."""
    exits: list[Exit] = []
    for number, (open_, high, low, close) in enumerate(prices):
        open_at = START + number * MINUTE
        candle = Candle(open_at, open_, high, low, close, 1.0)
        state, sold = step(state, candle, open_at + MINUTE, by)
        exits += sold
        if state.is_closed:
            break
    return state, exits
