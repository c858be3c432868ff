"""The market's time for commands that ask no exchange."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config.settings import Settings
from app.core.clock import Clock, ManualClock, SystemClock
from app.core.market_identity import REPLAY
from app.models import KnowledgeHorizon, ProcessHeartbeat, SeriesCursor


def stored_clock(session: Session, settings: Settings) -> Clock:
    """The machine's clock; for the replay market, its time when last heard of.

    That market may not be running, and its time is not the machine's: where no process
    ever ran, the stored data say how far it has come. Only an empty database, of which
    nothing can be judged, leaves the machine's time.
    """
    system = SystemClock()
    if settings.exchange.id != REPLAY:
        return system
    beat = session.scalar(sa.select(sa.func.max(ProcessHeartbeat.beat_at)))
    return ManualClock(beat or _newest_known(session) or system.now())


def _newest_known(session: Session) -> datetime | None:
    """The latest instant of market time that what is stored gives away."""
    accounted = sa.select(sa.func.max(SeriesCursor.watermark_at)).scalar_subquery()
    settled = sa.select(sa.func.max(KnowledgeHorizon.settled_until)).scalar_subquery()
    # The greatest of those that are not NULL.
    return session.scalar(sa.select(sa.func.greatest(accounted, settled)))
