"""How often one host may be asked, and when it must be left alone."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog

from app.core.clock import Clock
from app.core.exceptions import (
    AppError,
    ExchangeUnavailable,
    RateLimited,
    RetryableError,
)
from app.exchange.errors import describe, translate

P = ParamSpec("P")
T = TypeVar("T")

COOLDOWN_429_SECONDS = 60.0
COOLDOWN_418_SECONDS = 120.0
_MAX_COOLDOWN_SECONDS = 3 * 86_400.0
_BACKOFF_BASE_SECONDS = 0.5
_BACKOFF_CAP_SECONDS = 20.0
_BURST_SHARE = 0.1

_log = structlog.get_logger(__name__)


class RateLimiter:
    """Budget, cooldown and retries of the calls to one host.

    The budget is a token bucket: in any 60 seconds at most `units_per_minute` units
    are spent, a tenth of them at once. After a `RateLimited` nothing is sent until
    the cooldown has passed. Other retryable errors are tried again after a backoff
    with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS, 2015).

    Budget, cooldown and backoff run on `clock`; `deadline_seconds`, the total time of
    a call with its waits and retries, is real time.
    """

    def __init__(
        self,
        clock: Clock,
        units_per_minute: float,
        *,
        max_attempts: int = 5,
        deadline_seconds: float = 60.0,
        randomness: random.Random | None = None,
        host: str = "",
    ) -> None:
        if units_per_minute <= 0:
            raise ValueError(f"units_per_minute must be > 0, got {units_per_minute}")
        self._clock = clock
        self._host = host
        self._capacity = units_per_minute * _BURST_SHARE
        self._refill_per_second = units_per_minute * (1 - _BURST_SHARE) / 60
        self._tokens = self._capacity
        self._refilled_at = clock.monotonic()
        self._queue = asyncio.Lock()
        self._max_attempts = max_attempts
        self._deadline_seconds = deadline_seconds
        self._random = randomness or random.Random(0)
        self._cooldown_until = clock.monotonic()
        self._bans = 0

    @property
    def cooldown_seconds(self) -> float:
        """Seconds (of the clock) for which nothing may be sent; 0 if none."""
        return max(0.0, self._cooldown_until - self._clock.monotonic())

    def cool_down(self, seconds: float) -> None:
        """Send nothing for `seconds`; never shortens a cooldown that is longer."""
        until = self._clock.monotonic() + min(seconds, _MAX_COOLDOWN_SECONDS)
        self._cooldown_until = max(self._cooldown_until, until)

    async def spend(self, units: float) -> None:
        """Wait until `units` may be spent and no cooldown is on, then spend them.

        Raises RateLimited where the cooldown would outlast the deadline of a call.
        """
        # More than a full bucket is never there: such a call waits for a full one
        # and leaves a debt.
        needed = min(units, self._capacity)
        async with self._queue:
            while True:
                await self._wait_for_cooldown("request", self._deadline_seconds)
                self._refill()
                if self._tokens >= needed:
                    self._tokens -= units
                    return
                missing = needed - self._tokens
                # A little more than needed: rounding must not ask for a wait of 0.
                await self._clock.sleep(missing / self._refill_per_second + 1e-6)

    async def call(
        self, operation: Callable[[], Awaitable[T]], what: str = "call"
    ) -> T:
        """Run `operation` within budget, cooldown, retries and deadline.

        `operation` makes one request each time it is called and spends its own units
        (`spend`), since only it knows what it costs. Raises our errors only.
        """
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._attempt(operation, what)
        except TimeoutError as error:
            if self.cooldown_seconds > 0:
                raise self._in_cooldown(what) from error
            raise ExchangeUnavailable(
                f"{what}: no answer within the deadline of {self._deadline_seconds:g} s"
            ) from error

    def guarded(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Decorator: every call of `function` goes through `call`."""

        @functools.wraps(function)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(
                lambda: function(*args, **kwargs), function.__qualname__
            )

        return wrapper

    async def _attempt(self, operation: Callable[[], Awaitable[T]], what: str) -> T:
        expires = asyncio.get_running_loop().time() + self._deadline_seconds
        for attempt in range(1, self._max_attempts + 1):
            left = expires - asyncio.get_running_loop().time()
            await self._wait_for_cooldown(what, left)
            try:
                result = await operation()
            except Exception as raised:
                error = translate(raised, what)
                if isinstance(error, RateLimited):
                    self._enter_cooldown(error)
                    # Sitting out a longer ban would only end in a time-out.
                    if self.cooldown_seconds >= self._deadline_seconds:
                        error = self._in_cooldown(str(error), error.banned)
                        raise error from raised
                last = attempt == self._max_attempts
                if last or not isinstance(error, RetryableError):
                    raise error from (None if error is raised else raised)
                await self._back_off(error, attempt, what)
            else:
                self._bans = 0
                return result
        raise AssertionError("max_attempts is at least 1")

    async def _back_off(self, error: AppError, attempt: int, what: str) -> None:
        ceiling = min(_BACKOFF_CAP_SECONDS, _BACKOFF_BASE_SECONDS * 2**attempt)
        seconds = self._random.uniform(0, ceiling)
        _log.info(
            "exchange_call_retried",
            what=what,
            attempt=attempt,
            error=describe(error),
            wait_seconds=round(seconds, 3),
        )
        await self._clock.sleep(seconds)

    def _enter_cooldown(self, error: RateLimited) -> None:
        seconds = error.retry_after_seconds
        if error.banned and self.cooldown_seconds == 0:
            # Requests already under way all meet the same ban: count it once.
            self._bans += 1
        if seconds is None and error.banned:
            # Binance bans for longer who comes back too early.
            seconds = COOLDOWN_418_SECONDS * 2 ** min(max(self._bans, 1) - 1, 12)
        elif seconds is None:
            seconds = COOLDOWN_429_SECONDS
        self.cool_down(seconds)
        _log.warning(
            "exchange_cooldown", host=self._host, seconds=seconds, error=describe(error)
        )

    def _in_cooldown(self, what: str, banned: bool = False) -> RateLimited:
        seconds = self.cooldown_seconds
        return RateLimited(
            f"{what}: {self._host or 'the exchange'} may not be asked for another "
            f"{seconds:.0f} s (deadline of a call: {self._deadline_seconds:g} s)",
            seconds,
            banned=banned,
        )

    async def _wait_for_cooldown(self, what: str, left: float) -> None:
        while (seconds := self.cooldown_seconds) > 0:
            if seconds >= left:
                raise self._in_cooldown(what)
            await self._clock.sleep(seconds + 1e-6)

    def _refill(self) -> None:
        now = self._clock.monotonic()
        earned = (now - self._refilled_at) * self._refill_per_second
        self._tokens = min(self._capacity, self._tokens + earned)
        self._refilled_at = now
