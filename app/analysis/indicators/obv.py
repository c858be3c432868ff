"""On-balance volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from app.analysis.indicators.base import Indicator
from app.analysis.rolling import rolling_sum
from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class Obv(Indicator):
    """Volume of rising bars less that of falling ones, over the last `bars` bars.

    Source: Granville 1963. The sum has no end of its own, so it starts at the first of
    `bars` bars, with that bar's volume, as TA-Lib's does at the start of what it is
    given: each bar has the value that a window of its last `bars` bars would end with.
    The first `bars` elements of a series start at its first bar.
    """

    name: ClassVar[str] = "obv"

    bars: int = 200

    @property
    def outputs(self) -> tuple[str, ...]:
        return (f"obv_{self.bars}",)

    @property
    def bars_needed(self) -> int:
        return self.bars

    @property
    def anchor(self) -> str | None:
        return f"first of the last {self.bars} bars"

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        volume, close = window.volume, window.close
        balance = np.ones(len(window))
        np.subtract(close[1:], close[:-1], out=balance[1:])
        np.sign(balance, out=balance)
        balance *= volume
        obv = rolling_sum(balance, self.bars)
        # The first bar of each span counts as rising, whatever it did.
        later = len(obv) - self.bars
        if later > 0:
            obv[self.bars :] += volume[1 : later + 1] - balance[1 : later + 1]
        return (obv,)
