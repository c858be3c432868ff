"""How often one host may be asked, and when it must be left alone."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import structlog

from app.core.clock import Clock
from app.core.exceptions import (
    AppError,
    ExchangeUnavailable,
    RateLimited,
    RetryableError,
)
from app.exchange.budget import BucketTerms, Budget, Cooldown, cooldown_length
from app.exchange.errors import describe, translate
from app.exchange.local_budget import LocalBudget
from app.exchange.send_permit import PermitLapsed, SendPermit

P = ParamSpec("P")
T = TypeVar("T")

_BACKOFF_BASE_SECONDS = 0.5
_BACKOFF_CAP_SECONDS = 20.0
_LONGEST_DRAW_WAIT_SECONDS = 1.0

_log = structlog.get_logger(__name__)


class InCooldown(RateLimited):
    """Nothing was sent, as the host is to be left alone for longer than a call."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A request that waits for its units."""

    units: float
    permit: SendPermit | None = None


@dataclass(frozen=True, slots=True)
class _Notice:
    """What the venue said that the budget has not kept yet."""

    seconds: float | None
    banned: bool
    heard_at: float


class RateLimiter:
    """Budget, cooldown and retries of the calls to one host.

    `budget` keeps the count, one of this process alone if none is given. After a
    `RateLimited` nothing is sent until the cooldown has passed. Other retryable errors
    are tried again after a backoff with full jitter (M. Brooker, "Exponential Backoff
    And Jitter", AWS, 2015).

    Cooldown and backoff run on `clock`; `deadline_seconds`, the total time of a call
    with its waits and retries, is real time.
    """

    def __init__(
        self,
        clock: Clock,
        units_per_minute: float,
        *,
        budget: Budget | None = None,
        reserve_share: float = 0.0,
        max_attempts: int = 5,
        deadline_seconds: float = 60.0,
        randomness: random.Random | None = None,
        host: str = "",
    ) -> None:
        self._clock = clock
        self._terms = BucketTerms.of(units_per_minute)
        self._budget = budget or LocalBudget(clock)
        self._reserve_share = reserve_share
        self._host = host
        self._waiting: list[_Waiting] = []
        self._queue = asyncio.Lock()
        self._unsaved: list[_Notice] = []
        self._saving = asyncio.Lock()
        self._max_attempts = max_attempts
        self._deadline_seconds = deadline_seconds
        self._random = randomness or random.Random(0)
        self._cooldown_until = clock.monotonic()
        self._bans = 0

    @property
    def cooldown_seconds(self) -> float:
        """Seconds (of the clock) for which nothing may be sent, as far as is known."""
        return max(0.0, self._cooldown_until - self._clock.monotonic())

    async def spend(self, units: float) -> SendPermit:
        """Wait until `units` may be spent and no cooldown is on, then spend them.

        Requests that wait side by side are drawn together. Raises InCooldown where the
        cooldown would outlast the deadline of a call, RetryableError where the budget
        cannot be asked.
        """
        waiting = _Waiting(units)
        self._waiting.append(waiting)
        try:
            async with self._queue:
                while waiting.permit is None:
                    await self._wait_for_cooldown("request", self._deadline_seconds)
                    await self._draw()
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        return waiting.permit

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

    async def save_cooldown(self) -> None:
        """Make the budget keep what the venue said; at once if it knows all of it.

        Raises RetryableError, and has to be called again, where it cannot be asked.
        """
        async with self._saving:
            while self._unsaved:
                notice = self._unsaved[0]
                seconds = notice.seconds
                if seconds is not None:
                    seconds -= self._clock.monotonic() - notice.heard_at
                if seconds is None or seconds > 0:
                    cooldown = await self._budget.cool_down(seconds, notice.banned)
                    self._note(cooldown)
                self._unsaved.pop(0)

    async def _attempt(self, operation: Callable[[], Awaitable[T]], what: str) -> T:
        expires = asyncio.get_running_loop().time() + self._deadline_seconds
        attempt = 0
        while True:
            await self.save_cooldown()
            left = expires - asyncio.get_running_loop().time()
            await self._wait_for_cooldown(what, left)
            try:
                result = await operation()
            except PermitLapsed as lapsed:
                _log.debug("exchange_permit_lapsed", what=what, reason=str(lapsed))
            except InCooldown as cooling:
                raise self._in_cooldown(what) from cooling
            except Exception as raised:
                attempt += 1
                error = translate(raised, what)
                if isinstance(error, RateLimited):
                    await self._enter_cooldown(error)
                    # Sitting out a longer ban would only end in a time-out.
                    if self.cooldown_seconds >= self._deadline_seconds:
                        error = self._in_cooldown(str(error), error.banned)
                        raise error from raised
                last = attempt == self._max_attempts
                if last or not isinstance(error, RetryableError):
                    raise error from (None if error is raised else raised)
                await self._back_off(error, attempt, what)
            else:
                await self._forgive()
                return result

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

    async def _draw(self) -> None:
        """Draw for everybody who waits; then wait if nobody was given anything."""
        asked = list(self._waiting)
        costs = [waiting.units for waiting in asked]
        asked_at = asyncio.get_running_loop().time()
        draw = await self._budget.draw(costs, self._terms, self._reserve_share)
        self._note(draw.cooldown)
        for waiting in asked[: draw.granted]:
            waiting.permit = SendPermit(asked_at, self._is_cooling)
            if waiting in self._waiting:
                self._waiting.remove(waiting)
        if draw.granted or draw.cooldown.seconds > 0:
            return
        thresholds = self._terms.thresholds(costs, self._reserve_share)
        first, everybody = (
            self._terms.wait_seconds(threshold, draw.tokens)
            for threshold in (thresholds[0], thresholds[-1])
        )
        # For all that wait, so that they are drawn together, but not for long.
        seconds = max(first, min(everybody, _LONGEST_DRAW_WAIT_SECONDS))
        # A little more than needed: rounding must not ask for a wait of 0.
        await self._clock.sleep(seconds + 1e-6)

    async def _enter_cooldown(self, error: RateLimited) -> None:
        # Known to this process at once, while the budget is still being told.
        seconds = error.retry_after_seconds
        self._hold(cooldown_length(seconds, error.banned, 1))
        heard_at = self._clock.monotonic()
        self._unsaved.append(_Notice(seconds, error.banned, heard_at))
        try:
            # A process that is told to stop now still has to leave word.
            await asyncio.shield(self.save_cooldown())
        except RetryableError as failure:
            _log.error("exchange_cooldown_unsaved", host=self._host, error=str(failure))
        _log.warning(
            "exchange_cooldown",
            host=self._host,
            seconds=round(self.cooldown_seconds, 3),
            error=describe(error),
        )

    async def _forgive(self) -> None:
        if not self._bans or self.cooldown_seconds > 0:
            return
        try:
            await self._budget.forgive()
        except RetryableError as failure:
            # The answer is good all the same; the next one forgives.
            _log.info("exchange_ban_not_forgiven", error=str(failure))
        else:
            self._bans = 0

    def _note(self, cooldown: Cooldown) -> None:
        self._bans = cooldown.bans
        self._hold(cooldown.seconds)

    def _hold(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        self._cooldown_until = max(self._cooldown_until, until)

    def _is_cooling(self) -> bool:
        return self.cooldown_seconds > 0

    def _in_cooldown(self, what: str, banned: bool = False) -> InCooldown:
        seconds = self.cooldown_seconds
        return InCooldown(
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
