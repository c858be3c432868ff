"""Which of the world's trading days is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

# Business hours without daylight saving time, in UTC, the end not included: Tokyo
# 9 to 18, London 8 to 17, New York 8 to 17 of their standard times. Fixed hours keep a
# session the same length of the same hours all year, as a feature should be.
ASIA_HOURS = (0, 9)
LONDON_HOURS = (8, 17)
NEW_YORK_HOURS = (13, 22)


@dataclass(frozen=True, slots=True)
class SessionFlags:
    """Sessions open at an instant; they overlap, and none is open from 22 to 24 UTC.

    `is_weekend` is Saturday and Sunday in UTC. Sessions are flagged on weekends too:
    crypto trades on, with other people.
    """

    asia: bool
    london: bool
    new_york: bool
    is_weekend: bool


def session_flags(moment: datetime) -> SessionFlags:
    """Flags at an aware instant. Raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; use aware UTC times")
    utc = moment.astimezone(timezone.utc)
    return SessionFlags(
        asia=ASIA_HOURS[0] <= utc.hour < ASIA_HOURS[1],
        london=LONDON_HOURS[0] <= utc.hour < LONDON_HOURS[1],
        new_york=NEW_YORK_HOURS[0] <= utc.hour < NEW_YORK_HOURS[1],
        is_weekend=utc.weekday() >= 5,
    )
