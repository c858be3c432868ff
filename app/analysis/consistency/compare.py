"""The fields of two bars that should be the same bar."""

from __future__ import annotations

import math
from collections.abc import Mapping

from app.analysis.plausibility.columns import BarFinding
from app.domain.finding_rule import FindingRule

# Doubles added in another order differ by some 1e-16 a term; published volumes have
# eight decimals. A single trade that is missing is far above this.
VOLUME_TOLERANCE = 1e-9

FIELDS = ("open", "high", "low", "close", "volume")


def differing_fields(
    stored: Mapping[str, float], *candidates: Mapping[str, float]
) -> list[str]:
    """Fields of `stored` that agree with none of the candidates.

    Prices must be equal, volumes within a relative 1e-9.
    """
    return [
        name
        for name in FIELDS
        if not any(_agree(name, stored[name], other[name]) for other in candidates)
    ]


def field_findings(
    open_at: int,
    rules: Mapping[str, FindingRule],
    stored: Mapping[str, float],
    expected: Mapping[str, float],
    fields: list[str],
    source: Mapping[str, object],
) -> list[BarFinding]:
    """One finding a field; `source` says what `expected` was made of."""
    return [
        BarFinding(
            open_at, rules[name], {name: stored[name]}, {name: expected[name], **source}
        )
        for name in fields
    ]


def _agree(name: str, stored: float, expected: float) -> bool:
    if name == "volume":
        return math.isclose(
            stored, expected, rel_tol=VOLUME_TOLERANCE, abs_tol=VOLUME_TOLERANCE
        )
    return stored == expected
