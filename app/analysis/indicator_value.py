"""What an indicator says of a window's last bar, and why it may say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ValueStatus(str, Enum):
    """Whether there is a value; values are stored."""

    OK = "ok"
    WARMING_UP = "warming_up"
    UNDEFINED = "undefined"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class IndicatorValue:
    """One output at the last bar.

    `value` is None unless the status is `ok`; None is never 0. While warming up,
    `bars_have` is under `bars_needed`. `missing_bars` counts the bars that the exchange
    never gave within the declared window: the value is computed across those gaps.
    `reason` says why there is no value, `anchor` where a sum without an end starts.
    """

    output: str
    value: float | None
    status: ValueStatus
    bars_have: int
    bars_needed: int
    missing_bars: int
    anchor: str | None = None
    reason: str | None = None
