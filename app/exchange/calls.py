"""Runs single calls of an exchange and keeps what they answered amiss."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.core.exceptions import CorruptReply
from app.domain.timeframe import Timeframe
from app.exchange.call_record import CallRecord, recording
from app.exchange.corrupt_replies import CorruptReplies
from app.exchange.errors import translate
from app.exchange.rate_limiter import RateLimiter

T = TypeVar("T")

# Ten times what a full page of any venue takes: 5,000 bars or levels of 50 to 200
# bytes. Lists of all markets are larger, the transport bounds them.
_ONE_MARKET_BODY_BYTES = 2 * 1024 * 1024


class ExchangeCalls:
    """At most so many calls at a time; bodies of corrupt replies are kept."""

    def __init__(self, exchange_id: str, most_at_a_time: int) -> None:
        self.corrupt_replies = CorruptReplies()
        self._exchange_id = exchange_id
        self._slots = asyncio.Semaphore(most_at_a_time)

    async def run(
        self,
        limiter: RateLimiter,
        call: str,
        operation: Callable[[], Awaitable[T]],
        symbol: str = "",
        timeframe: Timeframe | None = None,
    ) -> tuple[T, CallRecord]:
        """Run one ccxt call within slots, budget, retries and deadline.

        Raises our errors only. `symbol` and `timeframe` say what a reply was about.
        """
        what = f"{self._exchange_id} {call}"

        async def attempt() -> tuple[T, CallRecord]:
            with recording() as record:
                record.most_body_bytes = _ONE_MARKET_BODY_BYTES if symbol else None
                try:
                    return await operation(), record
                except Exception as raised:
                    error = translate(raised, what)
                    if isinstance(error, CorruptReply):
                        # Here, since a retry that works would hide it for ever.
                        self.corrupt_replies.keep(
                            call, str(error), record.body, symbol, timeframe
                        )
                    raise
                finally:
                    record.body = None

        async with self._slots:
            return await limiter.call(attempt, what)
