"""What is wrong with a set of bars: the thing, the value, the bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.core.exceptions import BadData


class ProblemKind(str, Enum):
    """What may be wrong with bars."""

    UNREADABLE = "unreadable"
    TOO_FEW_BARS = "too_few_bars"
    OUT_OF_ORDER = "out_of_order"
    DUPLICATE = "duplicate"
    OFF_GRID = "off_grid"
    NOT_FINITE = "not_finite"
    NOT_POSITIVE = "not_positive"
    NEGATIVE_VOLUME = "negative_volume"
    HIGH_BELOW_LOW = "high_below_low"
    GAP = "gap"
    OUTSIDE_RANGE = "outside_range"

    @property
    def is_error(self) -> bool:
        """Whether bars cannot be used; else the caller is told and may go on.

        Markets do have gaps, and some exchanges do report opens and closes outside of
        the range of the bar's trades.
        """
        return self not in (ProblemKind.GAP, ProblemKind.OUTSIDE_RANGE)


@dataclass(frozen=True, slots=True)
class OhlcvProblem:
    """One problem; `at` is the open time of the bar, where one bar is at fault."""

    kind: ProblemKind
    thing: str
    value: str
    bound: str
    at: datetime | None = None

    def __str__(self) -> str:
        where = f" at {self.at.isoformat()}" if self.at else ""
        return f"{self.thing}{where} is {self.value}, must be {self.bound}"


@dataclass(frozen=True, slots=True)
class OhlcvReport:
    """What validation found over `bars` bars.

    `problems` lists at most the first hundred of each kind, in order of kind and time;
    `counts` counts them all.
    """

    bars: int
    problems: tuple[OhlcvProblem, ...]
    counts: Mapping[ProblemKind, int]

    @property
    def errors(self) -> tuple[OhlcvProblem, ...]:
        """The problems that forbid the use of the bars."""
        return tuple(item for item in self.problems if item.kind.is_error)

    @property
    def warnings(self) -> tuple[OhlcvProblem, ...]:
        """The problems that a reader should know of."""
        return tuple(item for item in self.problems if not item.kind.is_error)

    @property
    def is_valid(self) -> bool:
        """Whether the bars can be used."""
        return not self.errors

    def raise_if_invalid(self) -> None:
        """Raises BadData with the first error and the number of the others."""
        errors = self.errors
        if errors:
            count = sum(n for kind, n in self.counts.items() if kind.is_error)
            others = f" (and {count - 1} more errors)" if count > 1 else ""
            raise BadData(f"OHLCV data: {errors[0]}{others}")
