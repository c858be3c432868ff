"""What one process does with a budget that others share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from ccxt import binance

from app.config.settings import ExchangeSettings
from app.core.clock import ManualClock
from app.core.exceptions import DatabaseUnavailable, ExchangeUnavailable, RateLimited
from app.exchange.budget import BucketTerms, Cooldown, Draw
from app.exchange.costs import least_cost
from app.exchange.local_budget import LocalBudget
from app.exchange.send_permit import PermitLapsed, SendPermit
from app.exchange.service import ExchangeService
from app.replay.limits import weight_of
from tests.exchange.fake_exchange import (
    START,
    FakeExchange,
    body,
    fake_exchange,
    reset,
)


class SharedBudget(LocalBudget):
    """Stands for the row in the database, which may be away."""

    is_away = False
    draws = 0

    async def draw(
        self, costs: Sequence[float], terms: BucketTerms, reserve_share: float = 0.0
    ) -> Draw:
        self._require()
        self.draws += 1
        await asyncio.sleep(0)  # as a database would take its time
        return await super().draw(costs, terms, reserve_share)

    async def cool_down(self, seconds: float | None, banned: bool) -> Cooldown:
        self._require()
        return await super().cool_down(seconds, banned)

    def _require(self) -> None:
        if self.is_away:
            raise DatabaseUnavailable("the database is away")


def service(
    fake: FakeExchange, clock: ManualClock, budget: SharedBudget
) -> ExchangeService:
    settings = ExchangeSettings(max_attempts=2)
    return ExchangeService(settings, clock, fake.url, budget=budget)


async def test_a_ban_of_one_stops_the_other_before_it_asks() -> None:
    clock = ManualClock(START)
    budget = SharedBudget(clock)
    async with fake_exchange(clock) as fake:
        async with (
            service(fake, clock, budget) as one,
            service(fake, clock, budget) as other,
        ):
            fake.queued["exchangeInfo"].append(body({}, 418, {"Retry-After": "600"}))
            for exchange in (one, other, other):
                with pytest.raises(RateLimited):
                    await exchange.fetch_markets()
            assert len(fake.requests) == 1
            clock.advance(600)
            assert await other.fetch_markets()


async def test_without_the_budget_nothing_is_asked() -> None:
    clock = ManualClock(START)
    budget = SharedBudget(clock)
    budget.is_away = True
    async with fake_exchange(clock) as fake:
        async with service(fake, clock, budget) as exchange:
            with pytest.raises(DatabaseUnavailable):
                await exchange.fetch_markets()
            assert not fake.requests
            budget.is_away = False
            assert await exchange.fetch_markets()


async def test_a_ban_that_could_not_be_kept_is_kept_before_anything_else() -> None:
    clock = ManualClock(START)
    budget = SharedBudget(clock)

    async def refuse(request: object) -> object:
        budget.is_away = True  # while the request was under way
        return await body({}, 418, {"Retry-After": "600"})(request)  # type: ignore

    async with fake_exchange(clock) as fake:
        async with service(fake, clock, budget) as exchange:
            fake.queued["exchangeInfo"].append(refuse)  # type: ignore[arg-type]
            with pytest.raises(RateLimited):
                await exchange.fetch_markets()
            with pytest.raises(DatabaseUnavailable):
                await exchange.fetch_markets()
            clock.advance(100)
            budget.is_away = False
            with pytest.raises(RateLimited):
                await exchange.fetch_markets()
        terms = BucketTerms.of(960)
        assert (await budget.draw([], terms)).cooldown == Cooldown(500.0, 1)
        assert len(fake.requests) == 1


async def test_requests_that_wait_together_are_drawn_together() -> None:
    clock = ManualClock(START)
    budget = SharedBudget(clock)
    async with fake_exchange(clock) as fake:
        async with service(fake, clock, budget) as exchange:
            await asyncio.gather(*(exchange.rate_limiter.spend(0.4) for _ in range(50)))
            assert budget.draws == 2  # the first alone, the others while it was drawn


async def test_each_request_on_the_wire_was_drawn() -> None:
    """Also those the HTTP client repeats when a kept connection turns out closed."""
    clock = ManualClock(START)
    budget = SharedBudget(clock)
    async with fake_exchange(clock) as fake:
        async with service(fake, clock, budget) as exchange:
            await exchange.fetch_markets()
            fake.queued["time"].extend([reset, reset])
            with pytest.raises(ExchangeUnavailable):
                await exchange.server_time()
            await exchange.server_time()
            assert len(fake.requests) == budget.draws == 4


async def test_a_permit_is_good_once_for_two_seconds_and_until_a_cooldown() -> None:
    now = asyncio.get_running_loop().time()
    SendPermit(now, lambda: False).use()
    with pytest.raises(PermitLapsed):
        SendPermit(now - 2.5, lambda: False).use()
    with pytest.raises(PermitLapsed):
        SendPermit(now, lambda: True).use()
    used = SendPermit(now, lambda: False)
    used.use()
    with pytest.raises(ExchangeUnavailable):
        used.use()


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("time", {}),
        ("klines", {"symbol": "BTCUSDT", "limit": 1000}),
        ("exchangeInfo", {}),
        ("aggTrades", {"symbol": "BTCUSDT"}),
        ("trades", {"symbol": "BTCUSDT"}),
        ("depth", {"symbol": "BTCUSDT", "limit": 100}),
        ("depth", {"symbol": "BTCUSDT", "limit": 500}),
        ("depth", {"symbol": "BTCUSDT", "limit": 1000}),
        ("ticker/24hr", {}),
        ("ticker/24hr", {"symbol": "BTCUSDT"}),
        ("ticker/price", {}),
        ("ticker/bookTicker", {}),
    ],
)
def test_five_weight_make_a_unit(path: str, parameters: dict[str, object]) -> None:
    venue = binance()
    assert 60_000 / venue.rateLimit * 5 == 6000
    config = venue.describe()["api"]["public"]["get"][path]
    cost = venue.calculate_rate_limiter_cost("public", "GET", path, parameters, config)
    spent = max(cost, least_cost("binance", path)) * 5
    symbols = 1 if "symbol" in parameters else None
    limit = parameters.get("limit", 0)
    assert isinstance(limit, int)
    assert spent == weight_of(path, symbols, limit)
