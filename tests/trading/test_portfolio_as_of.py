"""What the account was at an instant does not change with what came later."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from app.trading.portfolio_manager import Cashflow, Holding, PortfolioManager

T0 = datetime(2025, 1, 6, tzinfo=timezone.utc)


def at(minute: int) -> datetime:
    return T0 + timedelta(minutes=minute)


def account() -> PortfolioManager:
    portfolio = PortfolioManager(Decimal(1000))
    portfolio.add(
        Holding("A", at(5), at(20)),
        [Cashflow(at(5), Decimal(-1)), Cashflow(at(20), Decimal(30))],
    )
    portfolio.add(Holding("B", at(10), None), [Cashflow(at(10), Decimal(-2))])
    return portfolio


def test_only_what_happened_until_then_counts() -> None:
    views = [account().at(at(minute)) for minute in (4, 5, 10, 19, 20, 99)]

    assert [view.equity for view in views] == [1000, 999, 997, 997, 1027, 1027]
    assert [sorted(view.symbols) for view in views] == [
        [], ["A"], ["A", "B"], ["A", "B"], ["B"], ["B"],
    ]  # fmt: skip


def test_the_past_stays_when_more_is_added() -> None:
    portfolio = account()
    before = portfolio.at(at(12))

    portfolio.add(Holding("C", at(13), None), [Cashflow(at(13), Decimal(-5))])

    assert portfolio.at(at(12)) == before


def test_two_positions_in_one_market_count_twice() -> None:
    portfolio = account()
    portfolio.add(Holding("B", at(11), None), [])

    assert portfolio.at(at(12)).open_positions == 3
    assert portfolio.at(at(12)).symbols == {"A", "B"}
