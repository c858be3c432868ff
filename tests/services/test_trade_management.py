"""Open trades are stepped through every candle, however the passes fall."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from sqlalchemy import select

from app.core.database import Database
from app.domain.market import MarketStatus
from app.domain.timeframe import Timeframe
from app.domain.trade import ExitReason, TradeStatus
from app.models import PerformanceMetrics
from app.services.portfolio import read_portfolio
from app.services.trade_management import StepResult
from tests.services.trade_desk import Desk, desk
from tests.services.world import at, facts, flat

M1 = Timeframe.M1


def test_without_open_trades_there_is_nothing_to_do(database: Database) -> None:
    with desk(database) as one:
        one.session.delete(one.trade())
        assert one.step(9) == StepResult()


def test_a_partial_exit_and_the_last_one_are_rows(database: Database) -> None:
    rally, crash = (100.0, 106.0, 99.0, 104.0), (104.0, 104.0, 90.0, 91.0)
    with desk(database) as one:
        one.bars("A", [rally, *flat(104.0, 2), crash])
        result = one.step(10)

        part, rest = one.exits()
        assert (result.exits, result.closed, result.open_trades) == (2, 1, 0)
        # 4 at 105: 420 - 400 - 0.42; 6 at 95: 570 - 600 - 0.57.
        assert (part.price, part.quantity, part.pnl) == (105, 4, Decimal("19.58"))
        assert (rest.price, rest.quantity, rest.pnl) == (95, 6, Decimal("-30.57"))
        assert (part.exited_at, rest.exited_at) == (at(1), at(4))
        trade = one.trade()
        assert trade.realised_pnl == Decimal("-11.99") and trade.fees_total == (
            Decimal("1.99")
        )
        assert (trade.exit_at, trade.exit_reason) == (at(4), ExitReason.STOP_LOSS)
        assert (trade.mfe, trade.mae) == (6, 5)


def test_no_trade_passes_the_scanners_next_close(database: Database) -> None:
    with desk(database) as one:
        one.bars("A", flat(100.0, 30))
        one.scanned(at(5))

        assert one.step(22.5).stepped_through == at(10)
        assert one.step(23.5).stepped_through == at(10)
        one.scanned(at(20))
        assert one.step(22.5).stepped_through == at(22)


def test_a_late_series_holds_up_all_trades(database: Database) -> None:
    with desk(database, "AB") as one:
        one.bars("A", flat(100.0, 9))
        one.bars("B", flat(100.0, 3))
        one.step(9)
        assert {one.trade(n).stepped_through for n in "AB"} == {at(3)}

        one.bars("B", flat(100.0, 9))
        one.step(9)
        assert {one.trade(n).stepped_through for n in "AB"} == {at(9)}


def test_a_series_without_a_cursor_is_waited_for(database: Database) -> None:
    with desk(database) as one:
        assert one.step(9).stepped_through == at(0)
        assert one.trade().status is TradeStatus.OPEN


def test_missing_candles_count_as_held_time(database: Database) -> None:
    with desk(database, max_holding_bars=6) as one:
        one.bars("A", flat(101.0, 9), without=(2, 3))
        one.step(9)

        (sold,) = one.exits()
        assert (sold.exited_at, sold.reason) == (at(6), ExitReason.TIME_LIMIT)


def test_metrics_follow_the_order_of_closing(database: Database) -> None:
    crash, rally = (100.0, 100.0, 90.0, 91.0), (100.0, 111.0, 99.0, 110.0)
    with desk(database, "ABC", stages=((2.0, 1.0),)) as one:
        one.bars("A", [*flat(100.0, 5), crash])
        one.bars("B", [*flat(100.0, 2), rally, *flat(100.0, 3)])
        one.bars("C", [*flat(100.0, 3), crash, *flat(100.0, 2)])
        one.step(9)

        rows = one.session.scalars(
            select(PerformanceMetrics).order_by(PerformanceMetrics.trades)
        ).all()
        assert [row.trade_id for row in rows] == [one.trade(n).id for n in "BCA"]
        assert [row.as_of for row in rows] == [at(3), at(4), at(6)]
        # Won 100 - 1 - 1.1; lost 50 + 1 + 0.95 twice.
        equity = [Decimal(e) for e in ("10097.9", "10045.95", "9994")]
        assert [row.equity for row in rows] == equity
        assert rows[-1].max_drawdown == Decimal("103.9")
        assert rows[-1].profit_factor == pytest.approx(97.9 / 103.9)
        assert rows[-1].expectancy == pytest.approx((97.9 - 103.9) / 50 / 3)


def test_a_delisted_market_is_sold_at_its_last_price(database: Database) -> None:
    with desk(database) as one:
        one.bars("A", [*flat(100.0, 3), (100.0, 103.0, 99.0, 102.5)])
        _delist(one, "A", 7.5)

        one.step(12)

        (sold,) = one.exits()
        assert (sold.price, sold.reason) == (Decimal("102.5"), ExitReason.DELISTED)
        assert sold.exited_at == at(8) and sold.quantity == 10


def test_a_delisting_does_not_hold_up_the_others(database: Database) -> None:
    with desk(database, "AB") as one:
        one.bars("A", flat(100.0, 3))
        one.bars("B", flat(100.0, 12))
        _delist(one, "A", 7.5)

        assert one.step(12).stepped_through == at(12)


def test_a_halted_market_does_not_hold_up_the_others(database: Database) -> None:
    with desk(database, "AB") as one:
        one.bars("A", flat(100.0, 3))
        one.bars("B", flat(100.0, 9))
        one.markets["A"].status = MarketStatus.HALTED
        one.session.flush()
        one.step(9)

        # Its own candles are waited for; nothing is decided without them.
        assert one.trade("A").stepped_through == at(3)
        assert one.trade("B").stepped_through == at(9)


def test_a_trade_far_behind_is_not_sold_before_the_delisting(
    database: Database,
) -> None:
    # The scanner catches up after an outage; the market left the exchange meanwhile.
    with desk(database) as one:
        one.bars("A", [*flat(100.0, 6), (100.0, 103.0, 99.0, 102.5)])
        _delist(one, "A", 7.5)
        one.scanned(at(0))
        one.step(60)
        assert not one.exits() and one.trade().stepped_through == at(5)

        one.scanned(at(5))
        one.step(60)
        assert one.exits()[0].exited_at == at(8)


def _delist(one: Desk, name: str, minute: float) -> None:
    one.markets[name].status = MarketStatus.DELISTED
    one.markets[name].delisted_at = at(minute)
    one.session.flush()


def _walk(seed: int, count: int = 90) -> list[tuple[float, float, float, float]]:
    random = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(random.normal(0.0004, 0.006, count)))
    opens = np.concatenate([[100.0], closes[:-1]]) * (
        1 + random.normal(0, 0.001, count)
    )
    high = np.maximum(opens, closes) * (1 + random.uniform(0, 0.004, count))
    low = np.minimum(opens, closes) * (1 - random.uniform(0, 0.004, count))
    table = np.round(np.stack([opens, high, low, closes], axis=1), 6)
    return [tuple(row) for row in table.tolist()]


STAGES = ((0.5, 0.4), (1.0, 0.3))
RULES = {
    "trailing_after_r": 0.6,
    "trailing_distance_r": 0.7,
    "max_holding_bars": 70,
    "slippage_bps": "3",
}


@pytest.mark.parametrize("seed", range(6))
def test_any_split_into_passes_writes_the_same_rows(
    database: Database, seed: int
) -> None:
    # Steps in one go, and rolls that back; then in passes of random length.
    random = np.random.default_rng(seed + 100)
    with desk(database, "ABC", STAGES, **RULES) as one:
        for number, name in enumerate("ABC"):
            lost = random.choice(90, size=8, replace=False).tolist()
            one.bars(name, _walk(10 * seed + number), without=lost)
        _delist(one, "C", 41.3)
        savepoint = one.session.begin_nested()
        one.step(90)
        at_once = facts(one.session)
        savepoint.rollback()
        one.session.expire_all()

        minute = 0.0
        while minute < 90:
            minute = min(90.0, minute + random.uniform(0.2, 12))
            one.step(minute)

        assert facts(one.session) == at_once
        assert len(at_once["partial_exits"]) >= 3


@pytest.mark.parametrize("seed", range(4))
def test_the_stored_ledger_reconciles_after_every_pass(
    database: Database, seed: int
) -> None:
    with desk(database, "AB", STAGES, **RULES) as one:
        for number, name in enumerate("AB"):
            one.bars(name, _walk(1000 + 10 * seed + number))
        for minute in range(0, 91, 9):
            one.step(minute)
            _reconcile(one, minute)
        assert all(one.trade(n).status is TradeStatus.CLOSED for n in "AB")


def _reconcile(one: Desk, minute: int) -> None:
    """Cash + open cost == initial + realised, from the fills and from the trades."""
    initial = one.config.simulation.initial_equity
    cash, cost, realised = initial, Decimal(0), Decimal(0)
    for name in "AB":
        trade, exits = one.trade(name), one.exits(name)
        sold = sum((part.quantity for part in exits), Decimal(0))
        assert sold + trade.remaining_quantity == trade.quantity
        cash -= trade.quantity * trade.entry_price + trade.entry_fee
        for part in exits:
            # Every stored amount is on the money step of twelve places.
            cash += round(part.quantity * part.price, 12) - part.fee
        cost += trade.remaining_quantity * trade.entry_price
        realised += trade.realised_pnl
        assert trade.realised_pnl == sum((e.pnl for e in exits), -trade.entry_fee)
    assert cash + cost == initial + realised
    view = read_portfolio(one.session, initial, at(minute)).at(at(minute))
    assert view.equity == initial + realised
