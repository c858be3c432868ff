"""What happened inside one exchange call, gathered where ccxt cannot return it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from app.exchange.rejected import RejectedItem
from app.exchange.send_permit import SendPermit


@dataclass(slots=True)
class CallRecord:
    """What is known of the request under way.

    `sent_monotonic` is the clock when the last request left, its waits behind it;
    `body` the text of the last reply, as it came; `permit` the leave to send the next.
    """

    sent_monotonic: float | None = None
    body: str | None = None
    permit: SendPermit | None = None
    rejected: list[RejectedItem] = field(default_factory=list)


_current: ContextVar[CallRecord | None] = ContextVar("exchange_call", default=None)


@contextmanager
def recording() -> Iterator[CallRecord]:
    """Gather what happens in the calls of this task (and its children) in a record.

    `last_response_headers` and the like on the ccxt client are shared by all
    concurrent calls; a context variable belongs to one.
    """
    record = CallRecord()
    token = _current.set(record)
    try:
        yield record
    finally:
        _current.reset(token)


def current_record() -> CallRecord:
    """The record of the call under way; a throw-away one outside of any."""
    return _current.get() or CallRecord()
