"""The market's time for commands that ask no exchange."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config.settings import Settings
from app.core.clock import Clock, ManualClock, SystemClock
from app.core.market_identity import REPLAY
from app.models import ProcessHeartbeat


def stored_clock(session: Session, settings: Settings) -> Clock:
    """The machine's clock; for the replay market, its time when last heard of.

    That market may not be running, and its time is not the machine's.
    """
    system = SystemClock()
    if settings.exchange.id != REPLAY:
        return system
    beat = session.scalar(sa.select(sa.func.max(ProcessHeartbeat.beat_at)))
    return ManualClock(beat or system.now())
