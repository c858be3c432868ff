"""Rules that look at a bar alone: cheap enough for every bar that is stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.analysis.plausibility.columns import BarColumns, BarFinding
from app.domain.finding_rule import FindingRule


def odd_shapes(bars: BarColumns) -> list[BarFinding]:
    """Open or close outside [low, high]; a range although nothing was traded.

    Some venues publish such bars: the open is then the previous close, or prices
    follow quotes. Works on whole columns: 1,000 bars take some ten microseconds.
    """
    found: list[BarFinding] = []
    for rule, name, values in (
        (FindingRule.OPEN_OUTSIDE_RANGE, "open", bars.open),
        (FindingRule.CLOSE_OUTSIDE_RANGE, "close", bars.close),
    ):
        outside = (values > bars.high) | (values < bars.low)
        for row in _rows(outside):
            found.append(
                BarFinding(
                    int(bars.open_at[row]),
                    rule,
                    {name: float(values[row])},
                    {
                        "at_least": float(bars.low[row]),
                        "at_most": float(bars.high[row]),
                    },
                )
            )
    for row in _rows((bars.volume == 0) & (bars.high > bars.low)):
        found.append(
            BarFinding(
                int(bars.open_at[row]),
                FindingRule.RANGE_WITHOUT_VOLUME,
                {
                    "high": float(bars.high[row]),
                    "low": float(bars.low[row]),
                    "volume": 0.0,
                },
                {"volume_above": 0.0},
            )
        )
    return found


def _rows(mask: npt.NDArray[np.bool_]) -> list[int]:
    rows: list[int] = np.flatnonzero(mask).tolist() if mask.any() else []
    return rows
