"""What time it is at the exchange, never later than it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from app.core.clock import Clock
from app.core.exceptions import BadData, CorruptReply
from app.exchange.moments import moment_of

REFRESH_SECONDS = 300.0
# Where the venue does not tell its time, ours stands in, less this doubt.
UNKNOWN_SKEW = timedelta(seconds=2)


class ServerClock:
    """A lower bound of the exchange's time, carried on by our monotonic clock.

    The reply was written before it arrived, so the time in it plus what has passed
    since the arrival can only be too early, by at most the journey home. A bar judged
    closed by it is closed; ours may jump without effect.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._server_at: datetime | None = None
        self._arrived_monotonic = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether the last reading is less than five minutes old."""
        return (
            self._server_at is not None
            and self._clock.monotonic() - self._arrived_monotonic < REFRESH_SECONDS
        )

    def set(self, server_at: datetime) -> None:
        """Note the exchange's time of a reply that arrives now."""
        self._server_at = server_at
        self._arrived_monotonic = self._clock.monotonic()

    def at(self, monotonic: float | None = None) -> datetime:
        """The exchange's time at a reading of our monotonic clock (now, if None)."""
        if self._server_at is None:
            raise RuntimeError("the exchange's time was never read")
        moment = self._clock.monotonic() if monotonic is None else monotonic
        return self._server_at + timedelta(seconds=moment - self._arrived_monotonic)


async def read_server_time(client: Any) -> datetime:
    """The exchange's time from its own reply; CorruptReply if it is no time."""
    reply = await client.fetch_time()
    try:
        return moment_of(reply, "server time")
    except BadData as error:
        raise CorruptReply(str(error)) from error
