"""How strong a market's trend is."""

from __future__ import annotations

from dataclasses import dataclass

from app.analysis.preparation.trend import regression_trend
from app.analysis.window import CandleWindow


@dataclass(frozen=True, slots=True)
class TrendReading:
    """The straight line through the last log closes; all None with too few bars.

    `slope` is in log units a bar, `r_squared` the part of the variation it explains.
    `strength` is `r_squared` with the sign of the slope, in [-1, 1]: 1 is a climb
    without detours, 0 no trend at all.
    """

    slope: float | None
    r_squared: float | None
    strength: float | None


def read_trend(window: CandleWindow, bars: int = 50) -> TrendReading:
    """Trend over the last `bars` bars. Raises ValueError for fewer than 3."""
    trend = regression_trend(window.last(bars), bars)
    if len(window) < bars:
        return TrendReading(None, None, None)
    slope, r_squared = float(trend.slope[-1]), float(trend.r_squared[-1])
    sign = (slope > 0) - (slope < 0)
    return TrendReading(slope, r_squared, sign * r_squared)
