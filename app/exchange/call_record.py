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
    `body` the text of the last reply, as it came, or of the one that was refused.
    `most_body_bytes` bounds its replies closer than the transport does.
    """

    sent_monotonic: float | None = None
    body: str | None = None
    rejected: list[RejectedItem] = field(default_factory=list)
    is_refused: bool = False
    most_body_bytes: int | None = None

    def refuse(self, body: str | None) -> None:
        """Keep the body of the reply that failed the call, whatever comes after it.

        A call may send several requests side by side.
        """
        if not self.is_refused:
            self.is_refused, self.body = True, body


@dataclass(slots=True)
class Request:
    """The one request that a task has under way.

    ccxt asks several market lists side by side within one call, each in a task of its
    own. `permit` is the leave to send, `body` the text of the reply, as it came.
    """

    permit: SendPermit | None = None
    body: str | None = None


_request: ContextVar[Request | None] = ContextVar("exchange_request", default=None)
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


def begin_request(permit: SendPermit) -> None:
    """From now on this task is about to send under `permit`."""
    _request.set(Request(permit))


def current_request() -> Request:
    """The request of this task; a throw-away one before any."""
    return _request.get() or Request()
