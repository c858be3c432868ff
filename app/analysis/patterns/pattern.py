"""What a pattern says, over a window and at its last bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.analysis.finding import Finding
from app.domain.direction import Direction


@dataclass(frozen=True, kw_only=True)
class Pattern(Finding):
    """A pattern, dated at the bar that completed it and known at that bar's close.

    `name` is one of `PATTERN_NAMES`, `started_at` the pattern's first bar. `confidence`
    in [0, 1] is how clearly the pattern stands out: how well formed it is, times the
    part its height makes of itself and the average true range together. It is no
    probability of profit. None while the true range warms up.
    """

    name: str
    direction: Direction
    confidence: float | None
    started_at: datetime


@dataclass(frozen=True, kw_only=True)
class Breakout(Pattern):
    """A close beyond a range or a trend line.

    `level` is the price broken, at that bar. `retested_at` is the first later bar to
    trade back to the level, `failed_at` the first to close back beyond it.
    """

    level: float
    retested_at: datetime | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PatternReading:
    """A pattern that the last bar completed or confirmed."""

    name: str
    direction: Direction
    confidence: float | None


@dataclass(frozen=True, slots=True)
class LastBarPatterns:
    """All patterns at the last bar, read from `bars` bars."""

    bars: int
    readings: tuple[PatternReading, ...]

    def to_json(self) -> dict[str, float | None]:
        """Confidence by name, negative where bearish: for JSONB.

        A neutral pattern's is positive: its name tells that it has no direction.
        """
        return {
            reading.name: (
                None
                if reading.confidence is None
                else round(reading.confidence, 4)
                * (-1 if reading.direction is Direction.BEARISH else 1)
            )
            for reading in self.readings
        }
