"""Judges bars before anything is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.analysis.preparation.frames import OhlcvInput, ohlcv_to_dataframe
from app.analysis.preparation.grid import close_times, floor_times
from app.analysis.preparation.report import OhlcvProblem, OhlcvReport, ProblemKind
from app.analysis.window import TimeArray
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe

_LISTED = 100
_PRICES = ("open", "high", "low", "close")

Mask = npt.NDArray[np.bool_]


def validate_ohlcv_data(
    data: OhlcvInput, timeframe: Timeframe | None = None, *, min_bars: int = 1
) -> OhlcvReport:
    """Every problem of the bars: types, order, duplicates, grid, gaps, values.

    The grid and its gaps are only judged where `timeframe` is given. Never raises for
    what the data holds: data that cannot even be read is a problem of its own.
    """
    try:
        frame = ohlcv_to_dataframe(data)
    except BadData as error:
        kind = ProblemKind.UNREADABLE
        problem = OhlcvProblem(kind, "data", f"unreadable ({error})", "OHLCV bars")
        return OhlcvReport(0, (problem,), {kind: 1})
    findings = _Findings(frame.index)
    if len(frame) < min_bars:
        findings.add_one(
            ProblemKind.TOO_FEW_BARS,
            OhlcvProblem(
                ProblemKind.TOO_FEW_BARS,
                "number of bars",
                str(len(frame)),
                f"at least {min_bars}",
            ),
        )
    _judge_times(findings, timeframe)
    _judge_values(findings, frame)
    return OhlcvReport(len(frame), tuple(findings.problems), findings.counts)


def require_valid_ohlcv(
    data: OhlcvInput, timeframe: Timeframe | None = None, *, min_bars: int = 1
) -> OhlcvReport:
    """The report, if the bars can be used. Raises BadData if they cannot."""
    report = validate_ohlcv_data(data, timeframe, min_bars=min_bars)
    report.raise_if_invalid()
    return report


class _Findings:
    """Collects problems; lists the first of each kind and counts them all."""

    def __init__(self, index: pd.Index) -> None:
        self.problems: list[OhlcvProblem] = []
        self.counts: dict[ProblemKind, int] = {}
        moments = pd.DatetimeIndex(index).tz_localize(None)
        self.times: TimeArray = moments.to_numpy().astype("datetime64[us]")

    def add_one(self, kind: ProblemKind, problem: OhlcvProblem) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= _LISTED:
            self.problems.append(problem)

    def add(
        self, kind: ProblemKind, mask: Mask, thing: str, values: object, bound: str
    ) -> None:
        """One problem for each bar of `mask`, with its value of `values`."""
        rows = np.flatnonzero(mask)
        column = np.broadcast_to(np.asarray(values), mask.shape)
        listed = self.counts.get(kind, 0)
        for row in rows[: max(0, _LISTED - listed)]:
            at = _aware(self.times[row])
            value = str(column[row])
            self.problems.append(OhlcvProblem(kind, thing, value, bound, at))
        if len(rows):
            self.counts[kind] = listed + len(rows)


def _judge_times(findings: _Findings, timeframe: Timeframe | None) -> None:
    times = findings.times
    # Against the newest bar before it, so that one late bar is one problem.
    newest = np.maximum.accumulate(times) if len(times) else times
    late = np.zeros(len(times), dtype=bool)
    late[1:] = times[1:] < newest[:-1]
    findings.add(
        ProblemKind.OUT_OF_ORDER,
        late,
        "open time",
        times,
        "after that of the bar before it",
    )
    again = np.asarray(pd.Index(times).duplicated())
    findings.add(ProblemKind.DUPLICATE, again, "open time", times, "that of one bar")
    if timeframe is None or not len(times):
        return
    off = times != floor_times(times, timeframe)
    findings.add(
        ProblemKind.OFF_GRID, off, "open time", times, f"on the {timeframe} grid"
    )
    if not off.any():
        for problem in _gaps(np.unique(times), timeframe):
            findings.add_one(ProblemKind.GAP, problem)


def _gaps(times: TimeArray, timeframe: Timeframe) -> Iterable[OhlcvProblem]:
    expected = close_times(times[:-1], timeframe)
    for row in np.flatnonzero(times[1:] != expected):
        first, end = _aware(expected[row]), _aware(times[row + 1])
        yield OhlcvProblem(
            ProblemKind.GAP,
            f"run of {timeframe} bars before {end.isoformat()}",
            f"missing ({timeframe.count_bars(first, end)} bars)",
            "there",
            first,
        )


def _judge_values(findings: _Findings, frame: pd.DataFrame) -> None:
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    for name, values in columns.items():
        findings.add(
            ProblemKind.NOT_FINITE, ~np.isfinite(values), name, values, "finite"
        )
    for name in _PRICES:
        findings.add(
            ProblemKind.NOT_POSITIVE, columns[name] <= 0, name, columns[name], "above 0"
        )
    volume, high, low = columns["volume"], columns["high"], columns["low"]
    findings.add(
        ProblemKind.NEGATIVE_VOLUME, volume < 0, "volume", volume, "at least 0"
    )
    findings.add(
        ProblemKind.HIGH_BELOW_LOW, high < low, "high", high, "at least the low"
    )
    for name in ("open", "close"):
        values = columns[name]
        outside = (high >= low) & ((values > high) | (values < low))
        findings.add(
            ProblemKind.OUTSIDE_RANGE, outside, name, values, "from low to high"
        )


def _aware(moment: np.datetime64) -> datetime:
    aware: datetime = pd.Timestamp(moment).tz_localize("UTC").to_pydatetime()
    return aware
