"""The leave to send one request, checked again when it is about to leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.core.exceptions import ExchangeUnavailable, RetryableError

# Real seconds from asking the budget to the request on the wire.
_GOOD_FOR_SECONDS = 2.0


class PermitLapsed(RetryableError):
    """Nothing was sent: the budget must be asked again first."""


class SendPermit:
    """Good for one request, for two seconds, and until a cooldown is known.

    Opening a connection may take longer than that, and the HTTP client repeats a
    request by itself when a kept connection turns out to be closed: neither may go
    out on an old word of the budget.
    """

    __slots__ = ("_asked_at", "_is_cooling", "_is_used")

    def __init__(self, asked_at: float, is_cooling: Callable[[], bool]) -> None:
        """`asked_at`: the event loop's time when the budget was asked."""
        self._asked_at = asked_at
        self._is_cooling = is_cooling
        self._is_used = False

    def use(self) -> None:
        """Send now; raises PermitLapsed where that is not allowed any more.

        Raises ExchangeUnavailable where the request was sent before, in vain.
        """
        age = asyncio.get_running_loop().time() - self._asked_at
        if self._is_used:
            raise ExchangeUnavailable("the connection was lost before the answer")
        if age > _GOOD_FOR_SECONDS:
            raise PermitLapsed(
                f"drawn {age:.1f} s ago, good for {_GOOD_FOR_SECONDS:g} s"
            )
        if self._is_cooling():
            raise PermitLapsed("a cooldown began after the draw")
        self._is_used = True
