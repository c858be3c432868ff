"""A stop costs a fixed part of equity, within every bound, or nothing is taken."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from app.config.settings import RiskSettings, SimulationSettings
from app.domain.decision import ReasonCode, Side, Signal
from app.domain.timeframe import Timeframe
from app.trading.portfolio_manager import PortfolioView
from app.trading.risk_manager import PositionPlan, RiskManager

D = Decimal
AT = datetime(2025, 1, 6, tzinfo=timezone.utc)


def signal(entry: str, stop: str, side: Side = Side.LONG) -> Signal:
    return Signal(
        symbol="BTC/USDT",
        strategy="s",
        timeframe=Timeframe.M5,
        bar_at=AT,
        side=side,
        confidence=0.9,
        entry_price=D(entry),
        stop_price=D(stop),
        reason=ReasonCode.MOMENTUM_LONG,
        evidence={},
    )


def manager(simulation: dict[str, Any] | None = None, **risk: Any) -> RiskManager:
    free = {"fee_rate": "0", "slippage_bps": "0"} | (simulation or {})
    bounds = {"max_position_fraction": 0.25} | risk
    return RiskManager(RiskSettings(**bounds), SimulationSettings(**free))


def account(equity: str = "10000", *symbols: str) -> PortfolioView:
    return PortfolioView(D(equity), frozenset(symbols), len(symbols))


def plan_of(answer: PositionPlan | ReasonCode) -> PositionPlan:
    assert isinstance(answer, PositionPlan), answer
    return answer


def test_the_stop_costs_the_risk_per_trade() -> None:
    # 1 % of 10,000 is 100; 5 away: 20 units, worth 2,000, below a quarter of equity.
    plan = plan_of(manager().size(signal("100", "95"), account()))

    assert plan.quantity == 20 and plan.risk_amount == 100


def test_the_position_is_capped_at_its_part_of_equity() -> None:
    # 1 away would be 100 units; a quarter of equity buys 25.
    plan = plan_of(manager().size(signal("100", "99"), account()))

    assert plan.quantity == 25 and plan.risk_amount == 25


def test_slippage_and_fee_of_the_entry_are_counted() -> None:
    # 50 bps worse than 100 is 100.5, 5.5 from the stop: 18.18 units of 0.01.
    costly = manager({"slippage_bps": "50", "fee_rate": "0.001"})

    plan = plan_of(costly.size(signal("100", "95"), account(), amount_step=0.01))

    assert plan.entry_price == D("100.5") and plan.quantity == D("18.18")
    assert plan.entry_fee == D("18.18") * D("100.5") * D("0.001")
    assert plan.open().realised_pnl == -plan.entry_fee


def test_a_short_is_sized_by_the_distance_up_to_its_stop() -> None:
    plan = plan_of(manager().size(signal("100", "104", Side.SHORT), account()))

    assert plan.quantity == 25 and plan.targets[0].price == 96


def test_quantity_is_rounded_down_to_the_step_as_written() -> None:
    # 100 / 3 = 33.33...; the binary fraction next to 0.1 would give 33.29999...
    plan = plan_of(
        manager(max_position_fraction=1.0).size(
            signal("100", "97"), account(), amount_step=0.1
        )
    )

    assert plan.quantity == D("33.3")


def test_targets_are_multiples_of_the_risk_and_sum_to_the_whole() -> None:
    plan = plan_of(
        manager().size(signal("100", "93"), account(), amount_step=0.001)
    )  # 100 / 7 = 14.285

    assert [t.price for t in plan.targets] == [107, 114, 121]
    assert [t.quantity for t in plan.targets] == [D("5.714"), D("4.285"), D("4.286")]


def test_fractions_below_one_leave_the_rest_to_the_stop() -> None:
    half = {"take_profits": [{"r_multiple": 2, "fraction": 0.5}]}

    plan = plan_of(manager(half).size(signal("100", "95"), account()))

    assert [(t.price, t.quantity) for t in plan.targets] == [(110, 10)]


def test_a_stage_too_small_for_the_step_goes_to_the_last_one() -> None:
    # Two whole units: 40 % of 2 and 30 % of 2 are none.
    plan = plan_of(manager().size(signal("1000", "950"), account(), amount_step=1))

    assert [(t.price, t.quantity) for t in plan.targets] == [(1150, 2)]


@pytest.mark.parametrize(
    ("stop", "side"),
    [("100", Side.LONG), ("101", Side.LONG), ("99", Side.SHORT), ("0", Side.LONG)],
)
def test_a_stop_on_the_wrong_side_is_refused(stop: str, side: Side) -> None:
    answer = manager().size(signal("100", stop, side), account())

    assert answer is ReasonCode.STOP_UNUSABLE


def test_a_market_that_is_held_is_refused() -> None:
    answer = manager().size(signal("100", "95"), account("10000", "BTC/USDT"))

    assert answer is ReasonCode.POSITION_OPEN


def test_the_positions_limit_refuses_one_more() -> None:
    two = account("10000", "A/USDT", "B/USDT")
    one = account("10000", "A/USDT")
    limited = manager(max_open_positions=2)

    assert limited.size(signal("100", "95"), two) is ReasonCode.POSITIONS_LIMIT
    assert isinstance(limited.size(signal("100", "95"), one), PositionPlan)


@pytest.mark.parametrize("equity", ["0", "-1"])
def test_an_account_without_equity_takes_nothing(equity: str) -> None:
    answer = manager().size(signal("100", "95"), account(equity))

    assert answer is ReasonCode.NO_EQUITY


@pytest.mark.parametrize(
    ("equity", "notional", "is_taken"),
    # A quarter of equity is bought: 10 at least by our rule, 15 by the exchange's.
    [("40", None, True), ("39.99", None, False), ("40", 15.0, False), ("60", 15.0, 1)],
)
def test_a_position_below_the_least_value_is_refused(
    equity: str, notional: float | None, is_taken: bool
) -> None:
    answer = manager().size(
        signal("100", "99.9"), account(equity), min_notional=notional
    )

    assert (answer is not ReasonCode.SIZE_TOO_SMALL) == is_taken


def test_less_than_one_step_is_refused() -> None:
    answer = manager(min_notional=0).size(
        signal("100", "95"), account("100"), amount_step=1.0
    )

    assert answer is ReasonCode.SIZE_TOO_SMALL
