"""The request budget a venue gives an address, and whoever keeps the count of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, Self

COOLDOWN_429_SECONDS = 60.0
COOLDOWN_418_SECONDS = 120.0
MAX_GUESSED_COOLDOWN_SECONDS = 3 * 86_400.0
# Of the bucket: what filling in history leaves to those who follow the market.
BACKFILL_RESERVE = 0.5

_BURST_SHARE = 0.08
_DEBT_SHARE = 0.03
_WINDOW_SECONDS = 60.0
# From the draw to the venue's own count; see `SendPermit`, which lapses before that.
_LATENCY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class BucketTerms:
    """A token bucket by whose rules no 60 seconds cost more than a budget.

    Between any two instants T seconds apart at most `capacity + debt + refill x T`
    units are drawn. T is 63 s here: what is drawn before a minute may reach the venue
    up to 3 s later and count in it. All in ccxt's units (Binance: 5 weight each).

    A request may be drawn as soon as the debt it leaves is within `debt`, so that a
    dear one does not starve beside many cheap ones. One that costs more than
    `capacity + debt` waits for a full bucket and leaves a larger debt.
    """

    capacity: float
    debt: float
    refill_per_second: float

    @classmethod
    def of(cls, units_per_minute: float) -> Self:
        """The terms under which `units_per_minute` (> 0) are never exceeded."""
        if units_per_minute <= 0:
            raise ValueError(f"units_per_minute must be > 0, got {units_per_minute}")
        refill = 1 - _BURST_SHARE - _DEBT_SHARE
        return cls(
            units_per_minute * _BURST_SHARE,
            units_per_minute * _DEBT_SHARE,
            units_per_minute * refill / (_WINDOW_SECONDS + _LATENCY_SECONDS),
        )

    def thresholds(
        self, costs: Sequence[float], reserve_share: float = 0.0
    ) -> list[float]:
        """Tokens there must be for the first 1, 2, ... of `costs`; never falling.

        `reserve_share` of the bucket is left to others.
        """
        reserve = self.capacity * reserve_share
        drawn_before = accumulate(costs, initial=0.0)
        needs = (
            before + min(max(cost - self.debt, 0.0) + reserve, self.capacity)
            for cost, before in zip(costs, drawn_before, strict=False)
        )
        return list(accumulate(needs, max))

    def wait_seconds(self, threshold: float, tokens: float) -> float:
        """Time until `threshold` tokens are there, if nobody draws."""
        return max(0.0, threshold - tokens) / self.refill_per_second


@dataclass(frozen=True, slots=True)
class Cooldown:
    """For how long nothing may be asked (0: now), and the bans in a row so far."""

    seconds: float
    bans: int


@dataclass(frozen=True, slots=True)
class Draw:
    """The first `granted` of the costs asked for may be spent at once.

    `tokens` is what the bucket holds now.
    """

    granted: int
    tokens: float
    cooldown: Cooldown


class Budget(Protocol):
    """One venue's count for one address: for one process, or shared by many."""

    async def draw(
        self, costs: Sequence[float], terms: BucketTerms, reserve_share: float = 0.0
    ) -> Draw:
        """Take what may be spent now, in order; without costs, only look.

        Nothing is granted in a cooldown, whoever met it. Raises RetryableError where
        the count cannot be asked: without it nothing may be sent.
        """

    async def cool_down(self, seconds: float | None, banned: bool) -> Cooldown:
        """Keep that the venue wants `seconds` (its default if None) without requests.

        Never shortens a cooldown. A ban met while one is on is the same ban.
        """

    async def forgive(self) -> None:
        """A request was answered well after the last ban: the next one is the first."""


def cooldown_length(seconds: float | None, banned: bool, bans: int) -> float:
    """How long to keep away after the `bans`-th ban in a row, or after a 429.

    What the venue told counts in full: `retry_after_seconds` has bounded it.
    """
    if seconds is not None:
        return seconds
    if not banned:
        return COOLDOWN_429_SECONDS
    # Binance bans for longer who comes back too early.
    guess = COOLDOWN_418_SECONDS * 2.0 ** min(max(bans, 1) - 1, 12)
    return min(guess, MAX_GUESSED_COOLDOWN_SECONDS)
