"""Whole replies that were not the document asked for, until somebody keeps them."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.rejected import RejectedItem, reject

_CAPACITY = 64


@dataclass(frozen=True, slots=True)
class RejectedReplies:
    """Replies refused since the last time, and how many more there was no room for."""

    items: tuple[RejectedItem, ...] = ()
    dropped: int = 0


class CorruptReplies:
    """A bounded buffer: during an outage every reply may be another error page."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._items: dict[tuple[str, str], RejectedItem] = {}
        self._dropped = 0

    def keep(
        self,
        call: str,
        reason: str,
        body: str | None,
        symbol: str = "",
        timeframe: Timeframe | None = None,
    ) -> None:
        """Note the body of a corrupt reply; the same body of a call counts once.

        None: the body never arrived whole. Of a long one its beginning is kept, with
        length and hash of all of it.
        """
        text = "" if body is None else body
        figures: dict[str, object] = {"call": call}
        if body is not None:
            figures["characters"] = len(text)
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
            figures["sha256"] = digest.hexdigest()
        item = reject(
            symbol,
            "reply",
            RejectionRule.REPLY_UNREADABLE,
            text,
            reason=reason,
            figures=figures,
            timeframe=timeframe,
        )
        with self._lock:
            key = (call, item.raw)
            if key in self._items:
                return
            if len(self._items) >= self._capacity:
                self._dropped += 1
                return
            self._items[key] = item

    def take(self) -> RejectedReplies:
        """What was kept; the buffer is empty afterwards."""
        with self._lock:
            taken = RejectedReplies(tuple(self._items.values()), self._dropped)
            self._items, self._dropped = {}, 0
        return taken
