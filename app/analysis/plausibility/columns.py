"""Bars of one series as columns, and what a check says about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.finding_rule import FindingRule

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BarColumns:
    """Consecutive stored bars, ascending; all arrays of shape (bars,).

    `open_at` is int64, microseconds since 1970-01-01 UTC.
    """

    open_at: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.open_at)


@dataclass(frozen=True, slots=True)
class BarFinding:
    """One check's objection to the bar that opens at `open_at` (microseconds)."""

    open_at: int
    rule: FindingRule
    stored: Mapping[str, float]
    expected: Mapping[str, object]
