"""A finding tells what was known of it at any bar, and no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from app.analysis.finding import Finding, TimedValue

START = datetime(2025, 1, 6, tzinfo=timezone.utc)


def bar(number: int) -> datetime:
    return START + timedelta(minutes=5 * number)


@dataclass(frozen=True, kw_only=True)
class Zone(Finding):
    top: float
    mitigated_at: datetime | None = None
    touches_at: tuple[datetime, ...] = ()
    fills: tuple[TimedValue, ...] = ()


ZONE = Zone(
    happened_at=bar(1),
    confirmed_at=bar(3),
    top=5.0,
    mitigated_at=bar(7),
    touches_at=(bar(5), bar(7)),
    fills=(TimedValue(bar(5), 0.25), TimedValue(bar(7), 1.0)),
)


def test_nothing_is_known_before_it_is_confirmed() -> None:
    assert ZONE.as_of(bar(1)) is None and ZONE.as_of(bar(2)) is None
    assert ZONE.as_of(bar(3)) == Zone(
        happened_at=bar(1), confirmed_at=bar(3), top=5.0, mitigated_at=None
    )


def test_steps_and_events_become_known_at_their_bar() -> None:
    middle, late = ZONE.as_of(bar(6)), ZONE.as_of(bar(7))

    assert middle is not None and middle.mitigated_at is None
    assert middle.touches_at == (bar(5),)
    assert middle.fills == (TimedValue(bar(5), 0.25),)
    assert late == ZONE


def test_a_finding_known_before_it_happened_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot have happened later"):
        Finding(happened_at=bar(2), confirmed_at=bar(1))
