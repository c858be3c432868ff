"""Budget, cooldown, backoff and deadline, all on the injected clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.exceptions import (
    AppError,
    CorruptReply,
    ExchangeRefused,
    ExchangeUnavailable,
    RateLimited,
    UnknownSymbol,
)
from app.exchange.errors import error_for_status
from app.exchange.rate_limiter import RateLimiter
from tests.exchange.fake_exchange import START


def limiter_on(clock: ManualClock, units: float = 600.0, **options: Any) -> RateLimiter:
    return RateLimiter(clock, units, randomness=random.Random(1), **options)


def failing(
    clock: ManualClock, *errors: Exception
) -> tuple[Callable[[], Awaitable[str]], list[float]]:
    """An operation that raises each error once, then answers; when it was called."""
    left, calls = list(errors), []

    async def operation() -> str:
        calls.append(clock.monotonic())
        if left:
            raise left.pop(0)
        return "done"

    return operation, calls


@pytest.mark.parametrize("cost", [0.4, 1.0, 16.0, 59.0])
async def test_no_minute_spends_more_than_the_budget(cost: float) -> None:
    clock, spent = ManualClock(START), []
    limiter = limiter_on(clock)
    while clock.monotonic() < 120:
        await limiter.spend(cost)
        spent.append(clock.monotonic())
    for start in spent[:: max(1, len(spent) // 50)]:
        in_window = sum(start <= at < start + 60 for at in spent)
        assert in_window * cost <= 600 + 1e-6
    assert len(spent) * cost >= 0.85 * 600 * 2  # and the budget can be used


async def test_a_burst_shares_one_budget() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock)
    await asyncio.gather(*(limiter.spend(6.0) for _ in range(100)))
    # 54 units at once, 6 of them on credit; the others at 0.89 x 600 in 63 seconds.
    assert clock.monotonic() == pytest.approx(546 / (0.89 * 600 / 63), rel=1e-3)


async def test_nothing_is_sent_inside_retry_after() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock)
    operation, calls = failing(clock, RateLimited("429", 7.0))
    assert await limiter.call(operation) == "done"
    assert calls[1] - calls[0] >= 7.0


async def test_a_429_without_header_cools_down_for_a_minute() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock, deadline_seconds=600)
    operation, calls = failing(clock, RateLimited("429"))
    await limiter.call(operation)
    assert calls[1] - calls[0] >= 60.0


async def test_bans_without_header_grow_until_a_call_succeeds() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock)
    waits = []
    for _ in range(3):
        operation, _ = failing(clock, RateLimited("418", banned=True))
        with pytest.raises(RateLimited) as raised:
            await limiter.call(operation)
        waits.append(raised.value.retry_after_seconds)
        clock.advance(limiter.cooldown_seconds)
    assert waits == [120.0, 240.0, 480.0]
    await limiter.call(failing(clock)[0])
    with pytest.raises(RateLimited) as raised:
        await limiter.call(failing(clock, RateLimited("418", banned=True))[0])
    assert raised.value.retry_after_seconds == 120.0


async def test_a_ban_met_by_several_calls_counts_once() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock)
    banned = [failing(clock, RateLimited("418", banned=True))[0] for _ in range(5)]
    await asyncio.gather(*map(limiter.call, banned), return_exceptions=True)
    assert limiter.cooldown_seconds <= 120.0


async def test_a_ban_beyond_the_deadline_is_reported_not_sat_out() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock, deadline_seconds=60)
    operation, calls = failing(clock, RateLimited("418", 3600.0, banned=True))
    for _ in range(2):
        with pytest.raises(RateLimited) as raised:
            await limiter.call(operation)
        assert raised.value.retry_after_seconds == pytest.approx(3600.0)
    assert len(calls) == 1 and clock.monotonic() == 0.0


async def test_a_long_ban_is_kept_to_in_full() -> None:
    five_days = 5 * 86_400.0
    limiter = limiter_on(ManualClock(START))
    error = error_for_status(418, {"Retry-After": f"{five_days:.0f}"}, "x", "", START)
    assert isinstance(error, RateLimited)
    with pytest.raises(RateLimited):
        await limiter.call(failing(ManualClock(START), error)[0])
    assert limiter.cooldown_seconds == pytest.approx(five_days)


async def test_backoff_is_full_jitter_under_a_doubling_ceiling() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock, max_attempts=20)
    operation, calls = failing(clock, *[ExchangeUnavailable("503")] * 19)
    await limiter.call(operation)
    waits = [later - sooner for sooner, later in zip(calls, calls[1:], strict=False)]
    assert all(
        0 <= wait <= min(20, 2.0**attempt) + 1e-6 for attempt, wait in enumerate(waits)
    )
    assert min(waits[6:]) < 5 < 15 < max(waits)


@pytest.mark.parametrize("error", [ExchangeUnavailable("503"), CorruptReply("html")])
async def test_attempts_are_counted(error: AppError) -> None:
    clock = ManualClock(START)
    operation, calls = failing(clock, *[error] * 9)
    with pytest.raises(type(error)):
        await limiter_on(clock, max_attempts=4).call(operation)
    assert len(calls) == 4


@pytest.mark.parametrize("error", [ExchangeRefused("451"), UnknownSymbol("X/Y")])
async def test_what_cannot_pass_is_not_retried(error: AppError) -> None:
    clock = ManualClock(START)
    operation, calls = failing(clock, error)
    with pytest.raises(type(error)):
        await limiter_on(clock).call(operation)
    assert len(calls) == 1


async def test_a_call_that_hangs_ends_at_the_deadline() -> None:
    limiter = limiter_on(ManualClock(START), deadline_seconds=0.05)
    with pytest.raises(ExchangeUnavailable, match=r"candles: .* 0.05 s"):
        await limiter.call(asyncio.Event().wait, "candles")


async def test_the_decorator_guards_a_function() -> None:
    clock = ManualClock(START)
    limiter = limiter_on(clock)
    operation, calls = failing(clock, RateLimited("429", 3.0))

    @limiter.guarded
    async def ask(symbol: str) -> str:
        return f"{symbol} {await operation()}"

    assert await ask("BTC/USDT") == "BTC/USDT done"
    assert calls[1] - calls[0] >= 3.0


async def test_a_cancelled_waiter_leaves_the_queue_usable() -> None:
    limiter = limiter_on(ManualClock(START))
    waiter = asyncio.create_task(limiter.spend(600.0))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    await limiter.spend(1.0)
