"""Epoch milliseconds as exchanges send them, checked to be milliseconds."""

from __future__ import annotations

import math
from datetime import datetime, timezone

from app.core.exceptions import BadData

# No exchange is older than Bitcoin. Seconds sent as milliseconds fall before this,
# microseconds far behind the end.
EARLIEST_MS = 1_230_768_000_000  # 2009-01-01
LATEST_MS = 4_102_444_800_000  # 2100-01-01

_LARGEST = LATEST_MS * 1e7
_UNITS = (
    ("milliseconds", 1.0),
    ("seconds", 1e-3),
    ("microseconds", 1e3),
    ("nanoseconds", 1e6),
)


def moment_of(milliseconds: object, what: str = "time") -> datetime:
    """The instant (aware, UTC) of an epoch in milliseconds.

    Raises BadData for anything that is not a number of milliseconds within 2009 to
    2099, as when seconds or microseconds were sent.
    """
    if (
        isinstance(milliseconds, bool)
        or not isinstance(milliseconds, int | float)
        or not math.isfinite(milliseconds)
        or not EARLIEST_MS <= milliseconds < LATEST_MS
    ):
        raise BadData(
            f"{what} {milliseconds!r:.40} is not in milliseconds of 2009 to 2099",
            repr(milliseconds)[:200],
        )
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def milliseconds_of(moment: datetime) -> int:
    """Epoch milliseconds of an aware instant."""
    return round(moment.timestamp() * 1000)


def claimed_moment(number: object) -> tuple[datetime | None, str | None]:
    """The instant an epoch of unknown unit means, and the unit if not milliseconds.

    The ranges of 2009 to 2099 in seconds, milliseconds, microseconds and nanoseconds do
    not overlap, so one reading at most is possible; (None, None) if none is.
    """
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None, None
    if not -_LARGEST < number < _LARGEST:  # NaN and Infinity included
        return None, None
    for unit, per_millisecond in _UNITS:
        milliseconds = number / per_millisecond
        if EARLIEST_MS <= milliseconds < LATEST_MS:
            moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
            return moment, None if unit == "milliseconds" else unit
    return None, None
