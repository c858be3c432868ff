"""Rules that look at a bar beside its neighbours: spikes, jumps, odd volume.

The scale is robust, as in the Hampel identifier (F. R. Hampel, "The influence curve
and its role in robust estimation", JASA 69, 1974; 1.4826 makes the median absolute
deviation agree with the standard deviation of a normal distribution), with a
granularity below which nothing is called an outlier, as in C. T. Brownlees and G. M.
Gallo, "Financial econometric analysis at ultra-high frequency: Data handling
concerns", Computational Statistics & Data Analysis 51, 2006.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from app.analysis.plausibility.columns import BarColumns, BarFinding, Floats
from app.domain.finding_rule import FindingRule

_NORMAL = 1.4826
_CHUNK = 20_000


@dataclass(frozen=True, slots=True)
class NeighbourRules:
    """Bounds, chosen on recorded markets (docs/data-quality.md has the rates).

    `lookback` bars before the judged one give its scale, `fewest` of them at least.
    """

    lookback: int = 100
    fewest: int = 20
    spike_deviations: float = 15.0
    spike_granularity: float = 0.01
    jump_factor: float = 5.0
    volume_factor: float = 100.0

    @property
    def bars_before(self) -> int:
        """How many bars before the first judged one the rules look at."""
        return self.lookback + 1


def odd_neighbours(
    bars: BarColumns, first: int = 0, rules: NeighbourRules | None = None
) -> list[BarFinding]:
    """Judge the bars from position `first` on; those before it are context.

    `price_spike`: the high stands above the highs of both neighbours (or the low below
    both lows) by more than 15 robust deviations of the log returns of the 100 bars
    before, and by more than 1 %. A move that stays is none, as the next bar shares it;
    the newest bar is therefore not judged before the next one is there.

    `price_jump`: the close is more than 5 times, or less than a fifth, of the close
    before: a change of unit or a stray digit, told at once.

    `volume_without_range`: high equals low although over 100 times the median volume
    of the 100 bars before was traded.
    """
    rules = rules or NeighbourRules()
    found: list[BarFinding] = []
    for start in range(max(first, 1), len(bars), _CHUNK):
        stop = min(start + _CHUNK, len(bars))
        found += _judge(bars, start, stop, rules)
    return found


def _judge(
    bars: BarColumns, start: int, stop: int, rules: NeighbourRules
) -> list[BarFinding]:
    base = max(0, start - rules.bars_before)
    found = price_jumps(bars, start, stop, rules)
    returns = np.abs(np.diff(np.log(bars.close[base:stop])))
    # Entry i of `scales`: of the returns before that of the bar base + 1 + i.
    scales = _NORMAL * _medians_before(returns, rules)
    last = min(stop, len(bars) - 1)
    rows = np.arange(start, last)
    if len(rows):
        bound = np.maximum(
            rules.spike_deviations * scales[rows - base - 1], rules.spike_granularity
        )
        found += _spikes(bars, rows, bound)
    flat = np.flatnonzero(
        (bars.high[start:stop] == bars.low[start:stop]) & (bars.volume[start:stop] > 0)
    )
    if len(flat):
        usual = _medians_before(bars.volume[base:stop], rules)
        found += _flats(bars, flat + start, usual[flat + start - base], rules)
    return found


def _spikes(
    bars: BarColumns, rows: npt.NDArray[np.int64], bound: Floats
) -> list[BarFinding]:
    """`bound` (rows,) is NaN where there is too little history: never exceeded."""
    ceiling = np.maximum(bars.high[rows - 1], bars.high[rows + 1])
    floor = np.minimum(bars.low[rows - 1], bars.low[rows + 1])
    found = []
    is_high = np.log(bars.high[rows] / ceiling) > bound
    is_low = np.log(floor / bars.low[rows]) > bound
    for at in np.flatnonzero(is_high).tolist():
        limit = float(ceiling[at]) * math.exp(float(bound[at]))
        found.append(_spike(bars, int(rows[at]), "high", {"at_most": limit}))
    for at in np.flatnonzero(is_low).tolist():
        limit = float(floor[at]) * math.exp(-float(bound[at]))
        found.append(_spike(bars, int(rows[at]), "low", {"at_least": limit}))
    return found


def _spike(
    bars: BarColumns, row: int, name: str, expected: dict[str, object]
) -> BarFinding:
    values = {"high": bars.high, "low": bars.low}[name]
    stored = {name: float(values[row]), "close": float(bars.close[row])}
    return BarFinding(int(bars.open_at[row]), FindingRule.PRICE_SPIKE, stored, expected)


def price_jumps(
    bars: BarColumns, start: int, stop: int, rules: NeighbourRules
) -> list[BarFinding]:
    """The `price_jump` findings of the bars [start, stop); `start` is 1 at least."""
    before, close = bars.close[start - 1 : stop - 1], bars.close[start:stop]
    is_jump = np.abs(np.log(close / before)) > math.log(rules.jump_factor)
    found = []
    for at in np.flatnonzero(is_jump).tolist():
        previous = float(before[at])
        expected: dict[str, object] = {
            "at_least": previous / rules.jump_factor,
            "at_most": previous * rules.jump_factor,
        }
        stored = {"close": float(close[at])}
        open_at = int(bars.open_at[start + at])
        found.append(BarFinding(open_at, FindingRule.PRICE_JUMP, stored, expected))
    return found


def _flats(
    bars: BarColumns,
    rows: npt.NDArray[np.int64],
    usual: Floats,
    rules: NeighbourRules,
) -> list[BarFinding]:
    bound = usual * rules.volume_factor
    found = []
    for at in np.flatnonzero((bound > 0) & (bars.volume[rows] > bound)).tolist():
        row = int(rows[at])
        stored = {"volume": float(bars.volume[row]), "high": float(bars.high[row])}
        expected: dict[str, object] = {"volume_at_most": float(bound[at])}
        open_at, rule = int(bars.open_at[row]), FindingRule.VOLUME_WITHOUT_RANGE
        found.append(BarFinding(open_at, rule, stored, expected))
    return found


def _medians_before(values: Floats, rules: NeighbourRules) -> Floats:
    """For each entry the median of the `lookback` before it; NaN below `fewest`."""
    padded = np.concatenate([np.full(rules.lookback, np.nan), values])
    windows = sliding_window_view(padded, rules.lookback)[: len(values)]
    medians = np.full(len(values), np.nan)
    whole = slice(rules.lookback, None)
    medians[whole] = np.median(windows[whole], axis=1)
    for at in range(rules.fewest, min(rules.lookback, len(values))):
        medians[at] = np.median(values[:at])
    return medians
