"""When a value became known, so that what was known at an instant stays the same.

`known_at` is stamped before a transaction commits, and a later one may commit first:
reading "known at or before t" twice could answer twice differently. Therefore every
writer of bars holds a shared lock from before it stamps until it commits, and the
horizon moves only while nobody holds it. Behind the horizon nothing can appear.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.models.knowledge_horizon import KnowledgeHorizon

# One key of PostgreSQL's advisory locks, for this use alone.
_LOCK_KEY = 7_301_914_266_013
_TICK = timedelta(microseconds=1)
_LOCK_NOT_AVAILABLE = "55P03"

# Two statements in one message: the second one's snapshot is taken after the lock is
# had, as it must be, and a round trip is saved. The answer is the second one's.
_SHARE = sa.text("""
SELECT pg_advisory_xact_lock_shared(:key);
SELECT max(settled_until) FROM knowledge_horizon
""")
_ALONE = sa.text("SELECT pg_advisory_xact_lock(:key)")
_HORIZON = sa.select(sa.func.max(KnowledgeHorizon.settled_until))
_PUBLISH = sa.text("""
INSERT INTO knowledge_horizon (id, settled_until) VALUES (1, :now)
ON CONFLICT (id) DO UPDATE
SET settled_until = greatest(knowledge_horizon.settled_until, excluded.settled_until),
    published_at = now()
RETURNING settled_until
""")


def begin_knowing(session: Session, now: datetime) -> datetime:
    """The `known_at` for what this transaction will write: `now`, or just later.

    Call it before anything is stored. The horizon cannot pass the instant before the
    transaction ends, and an instant already behind it is never answered, whatever the
    clocks of two writers say.
    """
    horizon = session.execute(_SHARE, {"key": _LOCK_KEY}).scalar_one()
    return now if horizon is None else max(now, horizon + _TICK)


def publish_horizon(
    session: Session, now: datetime, patience_seconds: float = 0.25
) -> datetime | None:
    """Move the horizon to `now`; where it stands, or None while a writer is slow.

    Waits at most `patience_seconds` for writers under way; later ones queue behind it
    for as long and then stamp later instants. Use a transaction of its own: after None
    it is rolled back.
    """
    timeout = f"{max(1, round(patience_seconds * 1000))}ms"
    session.execute(
        sa.text("SELECT set_config('lock_timeout', :timeout, true)"),
        {"timeout": timeout},
    )
    try:
        session.execute(_ALONE, {"key": _LOCK_KEY})
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        session.rollback()
        return None
    settled: datetime = session.execute(_PUBLISH, {"now": now}).scalar_one()
    return settled


def find_horizon(session: Session) -> datetime | None:
    """The newest instant for which as-of reads are settled; None: none yet."""
    return session.scalar(_HORIZON)
