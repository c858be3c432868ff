"""A bar of a larger time frame against the smaller bars it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.analysis.consistency.compare import FIELDS, differing_fields, field_findings
from app.analysis.plausibility.columns import BarColumns, BarFinding
from app.analysis.preparation.grid import close_times, divides, floor_times, step_of
from app.domain.finding_rule import FindingRule
from app.domain.timeframe import Timeframe

_RULES = {
    "open": FindingRule.AGGREGATE_OPEN,
    "high": FindingRule.AGGREGATE_HIGH,
    "low": FindingRule.AGGREGATE_LOW,
    "close": FindingRule.AGGREGATE_CLOSE,
    "volume": FindingRule.AGGREGATE_VOLUME,
}


@dataclass(frozen=True, slots=True)
class AggregateCheck:
    """How many larger bars could be compared, and what they disagree in."""

    compared: int
    findings: tuple[BarFinding, ...]


def check_aggregates(
    lower: BarColumns,
    higher: BarColumns,
    lower_frame: Timeframe,
    higher_frame: Timeframe,
) -> AggregateCheck:
    """Compare each bar of `higher` with the aggregate of `lower`.

    Open of the first, highest high, lowest low, close of the last, sum of the volumes;
    only where every smaller bar is there. A smaller bar without volume only carries
    the last price on, and some venues leave such bars out when they make the larger
    one: a larger bar may therefore agree with all of them or with the traded ones.

    Raises ValueError where larger bars are not made of whole smaller ones.
    """
    if not divides(lower_frame, higher_frame):
        raise ValueError(
            f"{higher_frame} bars are not made of whole {lower_frame} bars"
        )
    if not len(lower) or not len(higher):
        return AggregateCheck(0, ())
    buckets = floor_times(lower.open_at.view("datetime64[us]"), higher_frame)
    opens, starts, counts = np.unique(buckets, return_index=True, return_counts=True)
    expected = (close_times(opens, higher_frame) - opens) // step_of(lower_frame)
    whole = counts == expected
    opens, starts, counts = opens[whole], starts[whole], counts[whole]
    times = opens.astype(np.int64)
    _, mine, theirs = np.intersect1d(times, higher.open_at, return_indices=True)
    starts, counts = starts[mine], counts[mine]
    suspects = _suspects(lower, higher, starts, counts, theirs)
    findings: list[BarFinding] = []
    for row in np.flatnonzero(suspects).tolist():
        part = slice(int(starts[row]), int(starts[row] + counts[row]))
        findings += _explain(lower, higher, part, int(theirs[row]), lower_frame)
    return AggregateCheck(len(theirs), tuple(findings))


def _suspects(
    lower: BarColumns,
    higher: BarColumns,
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    theirs: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Which bars are not exactly the aggregate of all their smaller bars."""
    if not len(starts):
        return np.zeros(0, dtype=bool)
    ends = starts + counts
    # Buckets need not be adjacent, so each is cut out by its start and end.
    edges = np.column_stack([starts, ends]).ravel()

    def each(ufunc: np.ufunc, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        padded = np.append(values, values[-1])  # reduceat wants edges inside
        return np.asarray(ufunc.reduceat(padded, edges)[::2])

    differs = higher.open[theirs] != lower.open[starts]
    differs |= higher.high[theirs] != each(np.maximum, lower.high)
    differs |= higher.low[theirs] != each(np.minimum, lower.low)
    differs |= higher.close[theirs] != lower.close[ends - 1]
    differs |= higher.volume[theirs] != each(np.add, lower.volume)
    return np.asarray(differs)


def _explain(
    lower: BarColumns, higher: BarColumns, part: slice, at: int, frame: Timeframe
) -> list[BarFinding]:
    stored = {name: float(getattr(higher, name)[at]) for name in FIELDS}
    everything = np.arange(part.start, part.stop)
    traded = everything[lower.volume[part] > 0]
    made = _aggregate(lower, everything)
    candidates = [made]
    if 0 < len(traded) < len(everything):
        candidates.append(_aggregate(lower, traded))
    fields = differing_fields(stored, *candidates)
    source = {"timeframe": frame.value, "bars": len(everything)}
    open_at = int(higher.open_at[at])
    return field_findings(open_at, _RULES, stored, made, fields, source)


def _aggregate(lower: BarColumns, rows: npt.NDArray[np.int64]) -> dict[str, float]:
    return {
        "open": float(lower.open[rows[0]]),
        "high": float(lower.high[rows].max()),
        "low": float(lower.low[rows].min()),
        "close": float(lower.close[rows[-1]]),
        "volume": float(np.sum(lower.volume[rows])),
    }
