"""What every indicator declares and answers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from app.analysis.window import CandleWindow, FloatArray
from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe

MOST_BARS = 100_000


class Indicator(ABC):
    """A function of closed bars with a declared need of history.

    Subclasses are frozen dataclasses; their fields are their parameters, with defaults.
    `name` and `aliases` are what configuration calls them. Raises ConfigurationError
    where a whole number is under the `least` of its field (`least_period` where that
    names none) or over 100,000, or a decimal is not above 0.
    """

    __slots__ = ()

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    least_period: ClassVar[int] = 2
    least: ClassVar[dict[str, int]] = {}

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            self._check(field.name, str(field.type), getattr(self, field.name))

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """Names of the values, in the order of `series`; unique over a set."""

    @property
    @abstractmethod
    def bars_needed(self) -> int:
        """Bars that the last value is computed from, on any time frame.

        Truncation to them changes it by less than 1e-6 relative where most bars move
        the price; where few do, by any amount (see `app.analysis.warmup`).
        """

    def series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        """One array a name of `outputs`, of the window's length.

        NaN where TA-Lib has no value yet or there is none (`undefined_when`), infinite
        or NaN where a figure overflows; element i depends on bars 0 to i only.
        """
        with np.errstate(all="ignore"):
            return self._series(window)

    @abstractmethod
    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        """What `series` answers; numpy's warnings are off."""

    def bars_needed_on(self, timeframe: Timeframe) -> int:
        """`bars_needed` where the time frame is known; may be fewer."""
        return self.bars_needed

    @property
    def anchor(self) -> str | None:
        """Where a sum without an end starts; None where old bars are forgotten."""
        return None

    @property
    def undefined_when(self) -> str | None:
        """Why there may be no value on enough bars; None where there always is one."""
        return None

    def _check(self, field: str, kind: str, value: Any) -> None:
        thing = f"{self.name}: {field}"
        if kind == "int":
            least = self.least.get(field, self.least_period)
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if not is_whole or not least <= value <= MOST_BARS:
                raise ConfigurationError(
                    f"{thing} must be a whole number from {least} to {MOST_BARS}, "
                    f"got {value!r}"
                )
        if kind == "float":
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not 0 < value < math.inf:
                raise ConfigurationError(
                    f"{thing} must be a finite number above 0, got {value!r}"
                )


def compute_indicators(
    window: CandleWindow, indicators: Sequence[Indicator]
) -> dict[str, float | None]:
    """Value of each output at the window's last bar; None while warming up.

    Each indicator sees exactly its last `bars_needed_on` bars of the time frame,
    however long the window is: that makes a value the same in live, replay and data-set
    builds. NaN never leaves this function.
    """
    values: dict[str, float | None] = {}
    bars, timeframe = len(window), window.timeframe
    cuts: dict[int, CandleWindow] = {}
    with np.errstate(all="ignore"):
        for indicator in indicators:
            needed = indicator.bars_needed_on(timeframe)
            if bars < needed:
                values.update(dict.fromkeys(indicator.outputs))
                continue
            cut = cuts.get(needed)
            if cut is None:
                cut = cuts[needed] = window.last(needed)
            for name, array in zip(
                indicator.outputs, indicator._series(cut), strict=True
            ):
                value = float(array[-1])
                values[name] = value if math.isfinite(value) else None
    return values
