"""Which stored markets a list may have after all, in entries that were refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.exchange.refused_markets import match_refused
from app.exchange.rejected import RejectedItem
from app.models import Cryptocurrency, QuarantinedRow


def find_unclear_markets(
    session: Session,
    exchange: str,
    rows: Mapping[str, Cryptocurrency],
    listed: Collection[str],
    refused: Sequence[RejectedItem],
) -> frozenset[str]:
    """Symbols of `rows` that are neither listed nor surely gone.

    A refused entry is the market whose name it bears. One that bears none may be any
    market that is missing, but not one that was still listed when it was refused
    before: an entry that nobody can ever read does not keep every market from ending.
    """
    names = {s: row.exchange_symbol for s, row in rows.items() if s not in listed}
    matched, unmatched = match_refused(names, refused)
    if not unmatched:
        return matched
    since = _all_refused_since(session, exchange, unmatched)
    return matched | {
        symbol for symbol in names if since is None or rows[symbol].last_seen_at < since
    }


def _all_refused_since(
    session: Session, exchange: str, items: Sequence[RejectedItem]
) -> datetime | None:
    """When the last of these entries was refused for the first time, None: unknown.

    An entry without any text cannot be told from another damaged one.
    """
    if not all(item.texts for item in items):
        return None
    fingerprints = {
        QuarantinedRow.fingerprint_of(
            exchange, item.symbol, item.timeframe, item.what, item.rule, item.raw
        )
        for item in items
    }
    query = sa.select(QuarantinedRow.known_at).where(
        QuarantinedRow.fingerprint.in_(sorted(fingerprints))
    )
    known = session.scalars(query).all()
    return max(known) if len(known) == len(fingerprints) else None
