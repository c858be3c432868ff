"""A budget that one process has to itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from app.core.clock import Clock
from app.exchange.budget import BucketTerms, Cooldown, Draw, cooldown_length


class LocalBudget:
    """Counts in memory, on the clock's elapsed time; forgotten when the process ends.

    For tests and for tools that run without a database.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: float | None = None
        self._counted_at = clock.monotonic()
        self._cooldown_until = clock.monotonic()
        self._bans = 0

    async def draw(
        self, costs: Sequence[float], terms: BucketTerms, reserve_share: float = 0.0
    ) -> Draw:
        now = self._clock.monotonic()
        earned = (now - self._counted_at) * terms.refill_per_second
        held = terms.capacity if self._tokens is None else self._tokens + earned
        self._tokens, self._counted_at = min(terms.capacity, held), now
        cooldown = self._cooldown()
        if cooldown.seconds > 0:
            return Draw(0, self._tokens, cooldown)
        thresholds = terms.thresholds(costs, reserve_share)
        granted = bisect_right(thresholds, self._tokens)
        self._tokens -= sum(costs[:granted])
        return Draw(granted, self._tokens, cooldown)

    async def cool_down(self, seconds: float | None, banned: bool) -> Cooldown:
        if banned and self._cooldown().seconds == 0:
            # Requests already under way all meet the same ban: count it once.
            self._bans += 1
        length = cooldown_length(seconds, banned, self._bans)
        until = self._clock.monotonic() + length
        self._cooldown_until = max(self._cooldown_until, until)
        return self._cooldown()

    async def forgive(self) -> None:
        if self._cooldown().seconds == 0:
            self._bans = 0

    def _cooldown(self) -> Cooldown:
        left = self._cooldown_until - self._clock.monotonic()
        return Cooldown(max(0.0, left), self._bans)
