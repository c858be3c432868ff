"""Regimes of a window: at its last bar, or at every bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.analysis.regimes.figures import RegimeFigures, regime_figures
from app.analysis.regimes.latch import BoolArray, held_now, hold_state
from app.analysis.regimes.rules import RegimeRules
from app.analysis.window import CandleWindow, FloatArray
from app.domain.regime import Regime

ObjectArray = npt.NDArray[np.object_]

DEFAULT_RULES = RegimeRules()


@dataclass(frozen=True, slots=True)
class RegimeReading:
    """A regime and the figures it was read from; all None while warming up.

    `ema_slope` is the change of the EMA over `slope_bars`, in ATRs a bar;
    `atr_percentile` the part of recent bars whose ATR over close was at most the
    last one's, in (0, 1]. `instant` is what the last bar alone says, with nothing held
    on to: where it differs from `regime`, the regime is in doubt.
    """

    regime: Regime | None = None
    adx: float | None = None
    ema_slope: float | None = None
    atr_percentile: float | None = None
    instant: Regime | None = None


@dataclass(frozen=True, eq=False, slots=True)
class RegimeSeries:
    """Regime and figures at every bar, shape (bars,); None and NaN while warming up.

    `regime` and `instant` hold `Regime` members.
    """

    regime: ObjectArray
    instant: ObjectArray
    adx: FloatArray
    ema_slope: FloatArray
    atr_percentile: FloatArray


def read_regime(
    window: CandleWindow, rules: RegimeRules = DEFAULT_RULES
) -> RegimeReading:
    """Regime at the last bar, from exactly the last `rules.bars_needed` bars.

    Trending while there is a trend with a direction; else volatile while the ATR is
    near its highest of late; else ranging.
    """
    if len(window) < rules.bars_needed:
        return RegimeReading()
    # Bars before these would only lie outside of the memory.
    figures = regime_figures(window.last(rules.bars_needed), rules, rules.memory_bars)
    conditions = _conditions(figures, rules)
    return RegimeReading(
        regime=_regime_now(conditions, rules.memory_bars),
        adx=float(figures.adx[-1]),
        ema_slope=float(figures.ema_slope[-1]),
        atr_percentile=float(figures.atr_percentile[-1]),
        instant=_regime_now(conditions, 1),
    )


def regime_series(
    window: CandleWindow, rules: RegimeRules = DEFAULT_RULES
) -> RegimeSeries:
    """Regime at every bar, for charts and research.

    The same definition as `read_regime` at each bar: the memory is as short here. The
    figures are computed on the whole window, not on the declared bars, and so differ
    from it by their truncation error, under 1e-6 relative where most bars move.
    """
    figures = regime_figures(window, rules)
    warming_up = slice(0, rules.bars_needed - 1)
    conditions = _conditions(figures, rules)
    regime = _regimes(conditions, rules.memory_bars)
    instant = _regimes(conditions, 1)
    regime[warming_up] = None
    instant[warming_up] = None
    return RegimeSeries(
        regime, instant, figures.adx, figures.ema_slope, figures.atr_percentile
    )


class _Conditions(NamedTuple):
    """Where each condition begins and where it ends (or turns down)."""

    trend: tuple[BoolArray, BoolArray]
    direction: tuple[BoolArray, BoolArray]
    volatile: tuple[BoolArray, BoolArray]


def _conditions(figures: RegimeFigures, rules: RegimeRules) -> _Conditions:
    # A slope of exactly 0 has no direction, even where any slope is to decide.
    decides = rules.slope_decides or 5e-324
    adx, slope, percentile = figures.adx, figures.ema_slope, figures.atr_percentile
    # A price that stands still has its highest volatility of late: none at all.
    is_moving = figures.atr > 0
    return _Conditions(
        (adx >= rules.trend_begins, adx < rules.trend_ends),
        (slope >= decides, slope <= -decides),
        (
            is_moving & (percentile >= rules.volatile_begins),
            ~is_moving | (percentile < rules.volatile_ends),
        ),
    )


def _regimes(conditions: _Conditions, memory_bars: int) -> ObjectArray:
    """Regime at each bar; with a memory of one bar, of that bar alone."""
    trend, direction, volatile = (hold_state(*c, memory_bars) for c in conditions)
    number = np.where(volatile > 0, 1, 0)
    number[(trend > 0) & (direction > 0)] = 2
    number[(trend > 0) & (direction < 0)] = 3
    return _REGIMES[number]


def _regime_now(conditions: _Conditions, memory_bars: int) -> Regime:
    """The last element of `_regimes`, without the others."""
    trend, direction, volatile = (held_now(*c, memory_bars) for c in conditions)
    if trend > 0 and direction:
        return Regime.TRENDING_UP if direction > 0 else Regime.TRENDING_DOWN
    return Regime.VOLATILE if volatile > 0 else Regime.RANGING


# Members by number: numpy would turn a single one, which is a str too, into plain text.
_REGIMES: ObjectArray = np.array(
    [Regime.RANGING, Regime.VOLATILE, Regime.TRENDING_UP, Regime.TRENDING_DOWN],
    dtype=object,
)
