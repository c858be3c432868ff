"""Something seen in a window of bars, with the times at which each part was known."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, NamedTuple, Self


class TimedValue(NamedTuple):
    """A figure of a finding that changes over time: what it became, and at which bar.

    Findings keep such figures as ascending tuples of these, never as a plain number:
    a number of touches, say, would tell how often the level held afterwards.
    """

    at: datetime
    value: float


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Base of everything found at one bar and knowable at a later one.

    All times are open times of bars, aware UTC. `happened_at` names the bar it happened
    at, `confirmed_at` the bar whose close made it knowable: nobody could have acted on
    it before. Subclasses add plain fields for what is fixed once confirmed,
    `datetime | None` fields named `*_at` for steps of its life (touched, mitigated,
    invalidated, ...) and tuples of datetimes or `TimedValue`s for what accumulates. A
    finding that fails keeps its place, with the time at which it failed.

    Raises ValueError where it would be known before it happened.
    """

    happened_at: datetime
    confirmed_at: datetime

    def __post_init__(self) -> None:
        if self.confirmed_at < self.happened_at:
            raise ValueError(
                f"{type(self).__name__} confirmed at {self.confirmed_at.isoformat()} "
                f"cannot have happened later, at {self.happened_at.isoformat()}"
            )

    def as_of(self, bar_at: datetime) -> Self | None:
        """What was known of it when the bar `bar_at` had closed.

        None where it was confirmed later; steps of its life after `bar_at` are None,
        and events after it are left out of the tuples.
        """
        if self.confirmed_at > bar_at:
            return None
        later: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, datetime):
                if value > bar_at:
                    later[field.name] = None
            elif isinstance(value, tuple):
                known = tuple(item for item in value if not _is_after(item, bar_at))
                if len(known) < len(value):
                    later[field.name] = known
        return replace(self, **later) if later else self


def _is_after(item: object, bar_at: datetime) -> bool:
    if isinstance(item, TimedValue):
        return item.at > bar_at
    return isinstance(item, datetime) and item > bar_at
