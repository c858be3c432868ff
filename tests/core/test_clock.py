"""Clocks: scaled time runs with the market and stops at a recording's end."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta, timezone

import pytest

from app.core.clock import ManualClock, ScaledClock

LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
RECORDED = datetime(2025, 11, 1, tzinfo=timezone.utc)


def test_scaled_time_multiplies_what_has_passed() -> None:
    hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)

    clock = ScaledClock(RECORDED, hour_ago, speed=24.0)

    assert clock.now() >= RECORDED + timedelta(days=1)


def test_scaled_time_stands_still_at_the_end_of_a_recording() -> None:
    end = RECORDED + timedelta(days=2)

    clock = ScaledClock(RECORDED, LONG_AGO, speed=100.0, ends_at=end)

    assert clock.now() == clock.now() == end


def test_scaled_elapsed_time_goes_on_after_the_end() -> None:
    clock = ScaledClock(RECORDED, LONG_AGO, speed=1e6, ends_at=RECORDED)
    before = clock.monotonic()
    clock.wait(threading.Event(), 1000.0)
    assert clock.monotonic() - before >= 1000.0


def test_a_speed_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0, got 0"):
        ScaledClock(RECORDED, LONG_AGO, speed=0)


def test_manual_time_moves_by_waiting_alone() -> None:
    clock = ManualClock(RECORDED)
    clock.wait(threading.Event(), 60.0)
    asyncio.run(clock.sleep(60.0))
    assert clock.now() == RECORDED + timedelta(minutes=2)
    assert clock.monotonic() == 120.0


def test_manual_time_never_runs_backwards() -> None:
    clock = ManualClock(RECORDED)
    with pytest.raises(ValueError, match="cannot run backwards"):
        clock.set(LONG_AGO)
