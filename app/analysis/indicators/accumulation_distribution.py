"""Accumulation/distribution line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.money_flow import money_flow_volume
from app.analysis.rolling import rolling_sum
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class AccumulationDistribution(Indicator):
    """Sum of money flow volume over the last `bars` bars (Chaikin's line).

    The sum has no end of its own, so it starts at the first of `bars` bars: each bar
    has the value that a window of its last `bars` bars would end with. The first `bars`
    elements of a series start at its first bar.
    """

    name: ClassVar[str] = "accumulation_distribution"
    aliases: ClassVar[tuple[str, ...]] = ("ad", "adl")

    bars: int = 200

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"ad_{self.bars}",)

    @property
    def bars_needed(self) -> int:
        return self.bars

    @property
    def anchor(self) -> str | None:
        return f"first of the last {self.bars} bars"

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        return (rolling_sum(money_flow_volume(window), self.bars),)
