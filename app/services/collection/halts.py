"""When a market was halted, as its events tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.gap import GapReason
from app.domain.market_event import MarketEventKind
from app.domain.slots import SlotRun
from app.domain.timeframe import Timeframe
from app.models import MarketEvent

_ENDS = (
    MarketEventKind.RESUMED,
    MarketEventKind.DELISTED,
    MarketEventKind.RENAMED,
    MarketEventKind.RELISTED,
)


@dataclass(frozen=True, slots=True)
class Halt:
    """A market was known to be halted in [since, until]; None: it still is."""

    since: datetime
    until: datetime | None

    def covers(self, timeframe: Timeframe, run: SlotRun) -> bool:
        """Whether each slot of the run opened while the market was halted."""
        last = timeframe.shift(run.ends_at, -1)
        return self.since <= run.starts_at and (
            self.until is None or last <= self.until
        )


def find_halts(session: Session, cryptocurrency_id: int) -> list[Halt]:
    """The halts of one market, oldest first.

    An event is known some time after what it tells: slots before that are not claimed.
    """
    events = MarketEvent.get_for_market(session, cryptocurrency_id)
    halts: list[Halt] = []
    since: datetime | None = None
    # Of one refresh, a halt comes after the return of the market.
    in_order = sorted(
        events, key=lambda e: (e.known_at, e.kind is MarketEventKind.HALTED)
    )
    for event in in_order:
        if event.kind is MarketEventKind.HALTED:
            since = since or event.known_at
        elif since is not None and event.kind in _ENDS:
            halts.append(Halt(since, event.known_at))
            since = None
    return halts if since is None else [*halts, Halt(since, None)]


def split_by_halts(
    timeframe: Timeframe, run: SlotRun, halts: Sequence[Halt]
) -> Iterator[tuple[SlotRun, GapReason]]:
    """`run` in parts: maintenance while halted, of the rest nothing is known."""
    start = run.starts_at
    for halt in halts:
        first = max(start, timeframe.ceil(halt.since))
        end = run.ends_at
        if halt.until is not None:
            end = min(end, timeframe.shift(timeframe.floor(halt.until), 1))
        if first >= end:
            continue
        if first > start:
            yield SlotRun(start, first, False), GapReason.UNKNOWN
        yield SlotRun(first, end, False), GapReason.MAINTENANCE
        start = end
    if start < run.ends_at:
        yield SlotRun(start, run.ends_at, False), GapReason.UNKNOWN
