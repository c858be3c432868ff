"""What every indicator declares and answers."""

from __future__ import annotations

from typing import Protocol

from app.analysis.window import CandleWindow, FloatArray


class Indicator(Protocol):
    """A function of closed bars with a declared need of history.

    `outputs` names its values, unique over all configured indicators. `bars_needed`
    bars give the last value with a truncation error under 1e-6 relative.
    """

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the values, in the order of `series`."""

    @property
    def bars_needed(self) -> int:
        """Bars that the last value is computed from."""

    def series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        """One array a name of `outputs`, of the window's length.

        NaN where TA-Lib has no value yet; element i depends on bars 0 to i only.
        """
