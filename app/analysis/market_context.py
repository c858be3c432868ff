"""What one market looks like on all its time frames at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from app.analysis.breadth import BreadthReading
from app.analysis.impulse import ImpulseReading
from app.analysis.regimes.detection import RegimeReading
from app.analysis.sessions import SessionFlags
from app.analysis.trend_strength import TrendReading
from app.analysis.volatility.reading import VolatilityReading
from app.analysis.volume_anomaly import VolumeReading
from app.analysis.window import CandleWindow
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class TimeframeContext:
    """One time frame at its last closed bar, which opened at `bar_at`.

    `bars` bars were there, `missing_bars` of the grid between them were not.
    """

    bar_at: datetime
    bars: int
    missing_bars: int
    regime: RegimeReading
    trend: TrendReading
    volatility: VolatilityReading
    volume: VolumeReading


@dataclass(frozen=True, slots=True)
class MarketContext:
    """A market at `as_of`, the close of the last bar of its shortest time frame.

    `timeframes` holds each time frame with a bar closed by then, shortest first.
    `agreement` is the mean direction of the known regimes (trending up 1, down -1,
    else 0), in [-1, 1]. `btc_impulse` and `breadth` are None where not asked for;
    `as_of`, `session` and `agreement` where there is nothing to say.
    """

    symbol: str
    as_of: datetime | None
    timeframes: Mapping[Timeframe, TimeframeContext]
    agreement: float | None
    session: SessionFlags | None
    btc_impulse: ImpulseReading | None
    breadth: BreadthReading | None


def find_as_of(windows: Mapping[Timeframe, CandleWindow]) -> datetime | None:
    """Close of the last bar of the shortest time frame that has one."""
    for timeframe in sorted(windows, key=lambda frame: frame.duration):
        if len(windows[timeframe]):
            return windows[timeframe].last_close_at
    return None


def agreement_of(contexts: Mapping[Timeframe, TimeframeContext]) -> float | None:
    """Mean direction of the regimes that are known."""
    regimes = [context.regime.regime for context in contexts.values()]
    directions = [direction_of(regime) for regime in regimes if regime is not None]
    return sum(directions) / len(directions) if directions else None


def direction_of(regime: Regime) -> int:
    """1 for a climb, -1 for a fall, 0 for neither."""
    match regime:
        case Regime.TRENDING_UP:
            return 1
        case Regime.TRENDING_DOWN:
            return -1
        case Regime.RANGING | Regime.VOLATILE:
            return 0
        case _:
            assert_never(regime)
