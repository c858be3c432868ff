"""Unusual volumes, violent moves, trends and sessions, worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import talib

from app.analysis.impulse import (
    ImpulseDirection,
    ImpulseReading,
    impulse_bars_needed,
    read_impulse,
)
from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.sessions import SessionFlags, session_flags
from app.analysis.trend_strength import TrendReading, read_trend
from app.analysis.volume_anomaly import VolumeAnomaly, VolumeReading, read_volume
from app.analysis.window import CandleWindow
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import random_walk, window_of

BEFORE = [8.0, 12.0] * 5  # median and mean 10, deviation 2


def traded(*volumes: float) -> CandleWindow:
    return window_of([100.0] * len(volumes), volume=np.array(volumes))


def test_a_volume_is_measured_by_the_bars_before_it() -> None:
    reading = read_volume(traded(999.0, *BEFORE, 20.0), bars=10)

    assert reading == VolumeReading(
        VolumeAnomaly.SPIKE, ratio=2.0, zscore=5.0, percentile=1.0
    )


@pytest.mark.parametrize(
    ("last", "anomaly", "percentile"),
    [
        (19.9, VolumeAnomaly.NONE, 1.0),
        (12.0, VolumeAnomaly.NONE, 0.75),
        (8.0, VolumeAnomaly.NONE, 0.25),
        (2.0, VolumeAnomaly.DRY_UP, 0.0),
        (0.0, VolumeAnomaly.DRY_UP, 0.0),
    ],
)
def test_volumes_are_judged(
    last: float, anomaly: VolumeAnomaly, percentile: float
) -> None:
    reading = read_volume(traded(*BEFORE, last), bars=10)

    assert reading.anomaly is anomaly and reading.percentile == percentile


def test_twice_the_median_is_no_spike_in_a_wild_market() -> None:
    reading = read_volume(traded(*[1.0, 1.0, 1.0, 30.0, 20.0] * 2, 25.0), bars=10)

    assert reading.ratio == 25.0 and reading.zscore is not None and reading.zscore < 3
    assert reading.anomaly is VolumeAnomaly.NONE


@pytest.mark.parametrize(
    ("before", "last", "expected"),
    [
        (0.0, 0.0, VolumeReading(VolumeAnomaly.NONE, None, 0.0, 0.5)),
        (0.0, 5.0, VolumeReading(VolumeAnomaly.SPIKE, None, None, 1.0)),
        (0.1, 0.1, VolumeReading(VolumeAnomaly.NONE, 1.0, 0.0, 0.5)),
        (0.1, 0.3, VolumeReading(VolumeAnomaly.SPIKE, 0.3 / 0.1, None, 1.0)),
    ],
)
def test_volumes_that_never_varied(
    before: float, last: float, expected: VolumeReading
) -> None:
    assert read_volume(traded(*[before] * 10, last), bars=10) == expected


def test_too_few_bars_have_no_yardstick() -> None:
    assert read_volume(traded(*BEFORE), bars=10) == VolumeReading(None, *[None] * 3)


BARS = impulse_bars_needed()


def jump(steps: list[float], quiet: CandleWindow) -> CandleWindow:
    """A quiet market whose last bars move by these factors."""
    close = np.r_[quiet.close, quiet.close[-1] * np.cumprod(np.array(steps) + 1)]
    return window_of(close, spread=0.001)


def test_a_move_is_measured_in_ranges_from_before_it() -> None:
    window = jump([0.01, 0.01, 0.01], random_walk(BARS, seed=2))
    ranges = talib.ATR(window.high, window.low, window.close, 14)

    reading = read_impulse(window)

    size = (window.close[-1] - window.close[-4]) / ranges[-4]
    assert reading.size_atr == pytest.approx(size, rel=1e-6)
    assert reading.direction is ImpulseDirection.UP and reading.is_active


def test_a_fall_is_an_impulse_down_and_a_ripple_none() -> None:
    quiet = random_walk(BARS, seed=2)

    fall = read_impulse(jump([-0.05, 0.01, 0.0], quiet))
    ripple = read_impulse(jump([0.0005, 0.0, 0.0], quiet))

    assert fall.direction is ImpulseDirection.DOWN
    assert fall.size_atr is not None and fall.size_atr < -3
    assert ripple.direction is ImpulseDirection.NONE and not ripple.is_active


def test_an_impulse_after_stillness_has_no_size() -> None:
    still = [0.1] * BARS

    assert read_impulse(window_of(still)) == ImpulseReading(ImpulseDirection.NONE, 0.0)
    assert read_impulse(window_of([*still, 0.2])) == ImpulseReading(
        ImpulseDirection.UP, None
    )
    assert read_impulse(window_of(still[1:])) == ImpulseReading(None, None)


def test_impulses_of_recorded_hours_are_rare(shared_data: Path) -> None:
    window, analyzer = recorded_bars(shared_data, "BTCUSDT-1h"), MarketAnalyzer()

    active = [
        analyzer.btc_impulse(window._slice(0, bars)).is_active
        for bars in range(1_000, len(window), 29)
    ]

    assert 0.005 < np.mean(active) < 0.06


def test_trend_strength_has_the_sign_of_the_slope() -> None:
    climb = read_trend(window_of(np.exp(0.01 * np.arange(60))))
    fall = read_trend(window_of(np.exp(-0.01 * np.arange(60))))
    walk = random_walk(60, seed=3)
    steps, log_close = np.arange(50), np.log(walk.close[-50:])

    assert climb.slope == pytest.approx(0.01) and climb.strength == pytest.approx(1.0)
    assert fall.slope == pytest.approx(-0.01) and fall.strength == pytest.approx(-1.0)
    expected = np.corrcoef(steps, log_close)[0, 1]
    assert read_trend(walk).strength == pytest.approx(expected * abs(expected))
    assert read_trend(window_of([0.1] * 50)) == TrendReading(0.0, 0.0, 0.0)
    assert read_trend(walk.last(49)) == TrendReading(None, None, None)


@pytest.mark.parametrize(
    ("moment", "flags"),
    [
        ("2025-01-06T00:00", (True, False, False, False)),
        ("2025-01-06T08:30", (True, True, False, False)),
        ("2025-01-06T09:00", (False, True, False, False)),
        ("2025-01-10T13:00", (False, True, True, False)),
        ("2025-01-10T17:00", (False, False, True, False)),
        ("2025-01-10T22:00", (False, False, False, False)),
        ("2025-01-11T00:00", (True, False, False, True)),
        ("2025-01-12T23:59", (False, False, False, True)),
        ("2025-07-07T08:00", (True, True, False, False)),
    ],
)
def test_sessions_are_fixed_hours_of_utc(
    moment: str, flags: tuple[bool, bool, bool, bool]
) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)

    assert session_flags(at) == SessionFlags(*flags)
    tokyo = at.astimezone(timezone(timedelta(hours=9)))
    assert session_flags(tokyo) == SessionFlags(*flags)


def test_a_time_without_a_zone_has_no_session() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        session_flags(datetime(2025, 1, 6))
