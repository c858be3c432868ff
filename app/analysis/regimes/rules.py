"""The thresholds between regimes, and how long one is held on to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from app.analysis.indicators.trend import Adx, Ema
from app.analysis.indicators.volatility import Atr


@dataclass(frozen=True, slots=True)
class RegimeRules:
    """Each condition has a bound to begin at and a weaker one to end at.

    Between the two it stays what it was (a Schmitt trigger), which is what keeps a
    figure that trembles around one bound from changing the regime every other bar.

    A trend begins at an ADX of `trend_begins` (Wilder reads 25 as a trend, 20 as none)
    and takes a new direction where the EMA's slope reaches `slope_decides` ATRs a bar.
    Volatility begins where the ATR over close is at least as high as in this part of
    the last `percentile_bars` bars.

    `memory_bars` is how far back "what it was" is looked for; a condition that nothing
    decided within them is off. With that the regime is a function of `bars_needed`
    bars by definition, wherever a window begins.

    Raises ValueError where a condition would end above its beginning.
    """

    trend_begins: float = 25.0
    trend_ends: float = 20.0
    slope_decides: float = 0.05
    volatile_begins: float = 0.95
    volatile_ends: float = 0.75
    adx_period: int = 14
    ema_period: int = 20
    slope_bars: int = 10
    atr_period: int = 14
    percentile_bars: int = 100
    memory_bars: int = 100

    def __post_init__(self) -> None:
        for name in ("trend", "volatile"):
            begins, ends = getattr(self, f"{name}_begins"), getattr(
                self, f"{name}_ends"
            )
            if ends > begins:
                raise ValueError(f"{name}_ends is {ends}, must be at most {begins}")
        if self.slope_decides < 0 or self.memory_bars < 1:
            raise ValueError(
                f"slope_decides is {self.slope_decides}, must be at least 0; "
                f"memory_bars is {self.memory_bars}, must be at least 1"
            )

    @property
    def bars_needed(self) -> int:
        """Bars that the regime at a bar is a function of, its own included."""
        return _bars_needed(self)


@lru_cache
def _bars_needed(rules: RegimeRules) -> int:
    figures = max(
        Adx(rules.adx_period).bars_needed,
        Ema(rules.ema_period).bars_needed + rules.slope_bars,
        Atr(rules.atr_period).bars_needed + rules.percentile_bars - 1,
    )
    return figures + rules.memory_bars - 1
