"""One budget for all processes of an address, in a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from app.config.settings import DatabaseSettings
from app.core.clock import Clock, ManualClock
from app.core.database import Database
from app.core.exceptions import RetryableError
from app.exchange.budget import BACKFILL_RESERVE, BucketTerms, Cooldown, Draw
from app.models import RateBudget
from app.services.rate_budget import DatabaseBudget

START = datetime(2025, 3, 3, 12, 0, 30, tzinfo=timezone.utc)
# 80 % of Binance's 1,200 units a minute, which are 6,000 weight.
UNITS = 960.0
TERMS = BucketTerms.of(UNITS)


def budget_on(database: Database, clock: Clock | None) -> DatabaseBudget:
    return DatabaseBudget(database, "binance", "local", clock)


def draw(
    budget: DatabaseBudget, costs: Sequence[float], reserve_share: float = 0.0
) -> Draw:
    return asyncio.run(budget.draw(costs, TERMS, reserve_share))


def stored(database: Database) -> RateBudget:
    with database.session_scope() as session:
        return session.get_one(RateBudget, ("binance", "local"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def test_no_minute_of_four_processes_exceeds_the_budget(
    database: Database, clock: ManualClock
) -> None:
    """Saturated, also where each request arrives up to 3 seconds after its draw."""
    dice = random.Random(7)
    arrived: list[tuple[float, float]] = []
    budgets = [budget_on(database, clock) for _ in range(4)]
    for _ in range(600):
        costs = dice.choices([0.2, 0.4, 1.0, 4.0, 16.0], k=dice.randint(1, 8))
        granted = draw(dice.choice(budgets), costs).granted
        latency = dice.uniform(0, 3)
        arrived += [(clock.monotonic() + latency, cost) for cost in costs[:granted]]
        clock.advance(dice.uniform(0, 0.6))
    minutes = [
        sum(cost for at, cost in arrived if start <= at < start + 60)
        for start in range(0, int(clock.monotonic()) - 60)
    ]
    assert max(minutes) <= UNITS
    assert min(minutes) >= 0.7 * UNITS  # and it can be used


def test_draws_at_the_same_instant_share_one_bucket(
    database: Database, clock: ManualClock
) -> None:
    def drain(_: int) -> float:
        budget = budget_on(database, clock)
        return sum(0.4 * draw(budget, [0.4] * 8).granted for _ in range(20))

    with ThreadPoolExecutor(4) as threads:
        spent = sum(threads.map(drain, range(4)))
    # Each leaves a debt of less than one request.
    assert TERMS.capacity <= spent <= TERMS.capacity + 0.4
    assert stored(database).spent == pytest.approx(spent)


def test_a_ban_is_honoured_by_others_and_after_a_restart(
    database: Database, clock: ManualClock
) -> None:
    asyncio.run(budget_on(database, clock).cool_down(120.0, True))
    for _ in range(2):
        answer = draw(budget_on(database, clock), [0.4])
        assert answer.granted == 0 and answer.cooldown == Cooldown(120.0, 1)
    clock.advance(119.9)
    assert draw(budget_on(database, clock), [0.4]).granted == 0
    clock.advance(0.1)
    assert draw(budget_on(database, clock), [0.4]).granted == 1
    assert stored(database).spent == pytest.approx(0.4)


def test_bans_without_a_length_double_across_processes(
    database: Database, clock: ManualClock
) -> None:
    lengths = []
    for _ in range(3):
        cooldown = asyncio.run(budget_on(database, clock).cool_down(None, True))
        lengths.append(cooldown.seconds)
        clock.advance(cooldown.seconds)
    assert lengths == [120.0, 240.0, 480.0]
    asyncio.run(budget_on(database, clock).forgive())
    assert stored(database).bans == 0


def test_a_ban_that_several_met_counts_once_and_is_never_shortened(
    database: Database, clock: ManualClock
) -> None:
    asyncio.run(budget_on(database, clock).cool_down(3600.0, True))
    again = asyncio.run(budget_on(database, clock).cool_down(5.0, True))
    assert again == Cooldown(3600.0, 1)
    # The answer to a request that was sent before the ban.
    asyncio.run(budget_on(database, clock).forgive())
    assert stored(database).bans == 1


def test_back_fill_leaves_half_a_bucket_to_the_collector(
    database: Database, clock: ManualClock
) -> None:
    collector, back_fill = (budget_on(database, clock) for _ in range(2))
    spent = sum(
        0.4 * draw(back_fill, [0.4] * 8, BACKFILL_RESERVE).granted for _ in range(50)
    )
    assert spent == pytest.approx(TERMS.capacity / 2, abs=0.4)
    assert draw(collector, [0.4] * 90).granted == 90
    assert draw(back_fill, [0.4], BACKFILL_RESERVE).granted == 0


def test_a_dear_request_is_not_starved_by_cheap_ones(
    database: Database, clock: ManualClock
) -> None:
    cheap, dear = (budget_on(database, clock) for _ in range(2))
    waited = 0
    while draw(dear, [16.0]).granted == 0:
        draw(cheap, [0.4] * 8)
        clock.advance(0.25)
        waited += 1
        assert waited < 8


def test_a_clock_that_is_behind_earns_nothing_twice(
    database: Database, clock: ManualClock
) -> None:
    behind = ManualClock(START - timedelta(seconds=20))
    both = [budget_on(database, clock), budget_on(database, behind)]
    spent = 0.0
    for _ in range(200):
        for budget in both:
            spent += 0.4 * draw(budget, [0.4] * 8).granted
        clock.advance(0.05)
        behind.advance(0.05)
    assert spent <= TERMS.capacity + 10 * TERMS.refill_per_second + 0.8


def test_a_market_that_was_started_anew_is_not_locked_out(database: Database) -> None:
    former = budget_on(database, ManualClock(START + timedelta(days=30)))
    draw(former, [0.4])
    asyncio.run(former.cool_down(7200.0, True))
    clock = ManualClock(START)
    draw(budget_on(database, clock), [0.4] * 80)
    clock.advance(10)
    assert draw(budget_on(database, clock), [0.4]).granted == 1


def test_a_real_exchange_runs_on_the_clock_of_the_database(database: Database) -> None:
    budget = budget_on(database, None)
    draw(budget, [16.0])
    # By that clock the cooldown ended a second ago, and 3 seconds earned 40 units.
    with database.session_scope() as session:
        session.execute(
            sa.text(
                "UPDATE rate_budgets SET tokens = 0, refilled_at = clock_timestamp()"
                " - interval '3 s', cooldown_until = clock_timestamp() - interval '1 s'"
            )
        )
    assert 40 <= draw(budget, [0.0]).tokens <= TERMS.capacity
    assert asyncio.run(budget.cool_down(500.0, True)).seconds == 500.0
    assert 400 < draw(budget, [0.4]).cooldown.seconds <= 500


def test_addresses_and_exchanges_are_counted_apart(
    database: Database, clock: ManualClock
) -> None:
    asyncio.run(budget_on(database, clock).cool_down(600.0, True))
    for exchange, address in (("binance", "other"), ("kraken", "local")):
        other = DatabaseBudget(database, exchange, address, clock)
        assert draw(other, [0.4]).granted == 1


@pytest.fixture
def unreachable() -> Iterator[Database]:
    settings = DatabaseSettings(connect_timeout_seconds=1)
    database = Database(settings, "postgresql://nobody@127.0.0.1:9/none")
    yield database
    database.dispose()


def test_without_the_database_nothing_is_granted(unreachable: Database) -> None:
    with pytest.raises(RetryableError):
        draw(budget_on(unreachable, None), [0.4])
