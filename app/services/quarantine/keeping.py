"""Keeps refused items, bounded: an outage must not fill the disk with error pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.rejection import RejectionRule
from app.exchange.corrupt_replies import RejectedReplies
from app.exchange.rejected import RejectedItem
from app.models import QuarantinedRow

OVERFLOW = "overflow"

# Of one exchange, kind and rule in one hour; what is beyond is counted.
_MOST_REPLIES = 60
_MOST_ITEMS = 5_000


@dataclass(frozen=True, slots=True)
class KeptItems:
    """Items newly kept, known before, and counted only."""

    kept: int = 0
    known: int = 0
    not_kept: int = 0


def keep_rejected(
    session: Session,
    exchange: str,
    items: Iterable[RejectedItem],
    now: datetime,
    run_id: UUID,
) -> KeptItems:
    """Quarantine `items` in the caller's transaction; the same item is kept once.

    At most 5,000 items (60 whole replies) of a kind and rule are kept in an hour. The
    rest is counted in one row of that hour, kind `overflow`; there an item that is
    refused again counts again.
    """
    groups: dict[tuple[str, str], dict[str, QuarantinedRow]] = defaultdict(dict)
    given = 0
    for item in items:
        row = _row(exchange, item, now, run_id)
        groups[item.what, item.rule][_fingerprint(row)] = row
        given += 1
    if not groups:
        return KeptItems()
    hour = now.replace(minute=0, second=0, microsecond=0)
    counts = QuarantinedRow.count_by_rule(session, exchange, hour)
    chosen: list[QuarantinedRow] = []
    not_kept = 0
    for (what, rule), rows in sorted(groups.items()):
        room = max(0, _most(what) - counts.get((what, rule), 0))
        if len(rows) > room:
            known = QuarantinedRow.find_known(session, rows)
            fresh = [row for key, row in rows.items() if key not in known]
            surplus = len(fresh) - room
            if surplus > 0:
                not_kept += surplus
                _count(session, exchange, what, rule, hour, surplus, now, run_id)
            chosen += fresh[:room]
        else:
            chosen += rows.values()
    kept = QuarantinedRow.store(session, chosen)
    return KeptItems(kept, given - kept - not_kept, not_kept)


def keep_replies(
    session: Session,
    exchange: str,
    replies: RejectedReplies,
    now: datetime,
    run_id: UUID,
) -> KeptItems:
    """Quarantine what `ExchangeService.take_corrupt_replies` gave."""
    result = keep_rejected(session, exchange, replies.items, now, run_id)
    if replies.dropped:
        hour = now.replace(minute=0, second=0, microsecond=0)
        rule, count = RejectionRule.REPLY_UNREADABLE.value, replies.dropped
        _count(session, exchange, "reply", rule, hour, count, now, run_id)
    return KeptItems(result.kept, result.known, result.not_kept + replies.dropped)


def _most(what: str) -> int:
    return _MOST_REPLIES if what == "reply" else _MOST_ITEMS


def _row(
    exchange: str, item: RejectedItem, now: datetime, run_id: UUID
) -> QuarantinedRow:
    figures = dict(item.figures)
    if item.reason:
        figures["reason"] = item.reason
    return QuarantinedRow(
        exchange=exchange,
        symbol=item.symbol,
        timeframe=item.timeframe,
        what=item.what,
        rule=item.rule,
        raw=item.raw,
        figures=figures or None,
        occurred_at=item.occurred_at,
        known_at=now,
        run_id=run_id,
    )


def _fingerprint(row: QuarantinedRow) -> str:
    return QuarantinedRow.fingerprint_of(
        row.exchange, row.symbol, row.timeframe, row.what, row.rule, row.raw
    )


def _count(
    session: Session,
    exchange: str,
    what: str,
    rule: str,
    hour: datetime,
    count: int,
    now: datetime,
    run_id: UUID,
) -> None:
    row = QuarantinedRow(
        exchange=exchange,
        symbol="",
        what=OVERFLOW,
        rule=rule,
        raw=f"{what}: more than are kept in the hour from {hour.isoformat()}",
        occurred_at=hour,
        known_at=now,
        run_id=run_id,
    )
    QuarantinedRow.add_overflow(session, row, count)
