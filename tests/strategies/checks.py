"""What every strategy must pass, whatever it looks for.

Each check takes a strategy. A strategy that is registered is checked without a line
written for it; `every_check` finds the checks by their name.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.decision import ReasonCode, Refusal, Side, Signal
from app.domain.timeframe import Timeframe
from app.strategies.base import BaseStrategy
from tests.analysis.windows import COLUMNS, contents, first_bars, random_walk

Check = Callable[[BaseStrategy], None]
_CLOSES = 40


def every_check() -> list[Check]:
    """The checks of this file, in the order of their names."""
    functions = inspect.getmembers(sys.modules[__name__], inspect.isfunction)
    return [function for name, function in functions if name.startswith("check_")]


def market(strategy: BaseStrategy, seed: int = 1, extra: int = _CLOSES) -> CandleWindow:
    """A walk of the strategy's time frame, `extra` bars longer than it needs."""
    bars = strategy.bars_needed + extra
    return random_walk(bars, seed, timeframe=strategy.timeframe)


def without(window: CandleWindow, index: int) -> CandleWindow:
    """The window with one bar missing."""
    columns = (np.delete(getattr(window, name), index) for name in COLUMNS)
    return CandleWindow(window.symbol, window.timeframe, *columns)


def altered_after(window: CandleWindow, bars: int) -> CandleWindow:
    """The window with another market's bars after the first `bars`."""
    other = random_walk(len(window), seed=99, start=5e4, timeframe=window.timeframe)
    columns = (
        np.concatenate((getattr(window, name)[:bars], getattr(other, name)[bars:]))
        for name in COLUMNS
    )
    return CandleWindow(window.symbol, window.timeframe, *columns)


def check_input_is_untouched(strategy: BaseStrategy) -> None:
    window = market(strategy)
    before = contents(window)

    strategy.evaluate(window)

    assert contents(window) == before


def check_decisions_are_deterministic(strategy: BaseStrategy) -> None:
    windows = [market(strategy, seed) for seed in range(10)]

    first = strategy.evaluate_many(windows)
    again = [strategy.evaluate(window) for window in reversed(windows)]

    assert first == again[::-1], "neither order nor an earlier call may matter"


def check_later_bars_do_not_matter(strategy: BaseStrategy) -> None:
    window = market(strategy)

    for bars in range(strategy.bars_needed, len(window)):
        alone = first_bars(window, bars)
        bar_at = alone.last_open_at
        expected = strategy.evaluate(alone)
        assert strategy.evaluate(window.until(bar_at), bar_at) == expected
        altered = altered_after(window, bars)
        assert strategy.evaluate(altered.until(bar_at), bar_at) == expected


def check_bars_before_the_needed_ones_do_not_matter(strategy: BaseStrategy) -> None:
    for seed in range(10):
        window = market(strategy, seed)
        needed = window.last(strategy.bars_needed)

        assert strategy.evaluate(window) == strategy.evaluate(needed)


def check_a_window_past_the_judged_bar_is_refused(strategy: BaseStrategy) -> None:
    window = market(strategy)
    bar_before = first_bars(window, len(window) - 1).last_open_at

    with pytest.raises(ValueError, match="after the judged bar"):
        strategy.evaluate(window, bar_before)


def check_another_time_frame_is_refused(strategy: BaseStrategy) -> None:
    hour, day = Timeframe.H1, Timeframe.D1
    other = day if strategy.timeframe is hour else hour

    with pytest.raises(ValueError, match=f"judges {strategy.timeframe} bars"):
        strategy.evaluate(random_walk(10, seed=1, timeframe=other))


def check_short_history_is_refused(strategy: BaseStrategy) -> None:
    window = market(strategy, extra=0)
    bar_at, needed = window.last_open_at, float(strategy.bars_needed)

    for bars in (0, 1, strategy.bars_needed - 1):
        decision = strategy.evaluate(window.last(bars), bar_at)
        assert isinstance(decision, Refusal)
        assert decision.reason is ReasonCode.SHORT_HISTORY
        assert decision.evidence == {"bars": float(bars), "bars_needed": needed}
        assert decision.bar_at == bar_at
    with pytest.raises(BadData, match="holds no bar"):
        strategy.evaluate(window.last(0))


def check_a_gap_is_refused(strategy: BaseStrategy) -> None:
    window = market(strategy)

    # Just behind the oldest bar judged (the hole makes room for one more), and just
    # before the newest.
    for index in (len(window) - strategy.bars_needed, len(window) - 2):
        decision = strategy.evaluate(without(window, index))
        assert isinstance(decision, Refusal)
        assert decision.reason is ReasonCode.GAP_IN_WINDOW
        assert decision.evidence["missing_bars"] == 1.0


def check_a_gap_before_the_judged_bars_does_not_matter(strategy: BaseStrategy) -> None:
    window = market(strategy)
    oldest_needed = len(window) - strategy.bars_needed

    decision = strategy.evaluate(without(window, oldest_needed - 1))

    assert decision == strategy.evaluate(window)


def check_stale_bars_are_refused(strategy: BaseStrategy) -> None:
    window = market(strategy)
    bar_at = strategy.timeframe.shift(window.last_open_at, 3)

    for bars in (len(window), 1):
        decision = strategy.evaluate(window.last(bars), bar_at)
        assert isinstance(decision, Refusal)
        assert decision.reason is ReasonCode.STALE_DATA
        assert decision.bar_at == bar_at, "the bar asked about, not the one at hand"
        assert decision.evidence["bars_late"] == 3.0


def check_decisions_say_whose_and_which_bar_they_are(strategy: BaseStrategy) -> None:
    window = market(strategy)

    for bars in range(strategy.bars_needed, len(window)):
        decision = strategy.evaluate(first_bars(window, bars))
        assert decision.symbol == window.symbol
        assert decision.strategy == strategy.name
        assert decision.timeframe is strategy.timeframe
        assert decision.bar_at == first_bars(window, bars).last_open_at
        assert decision.evidence, "every decision shows its figures"
        # NaN and infinity are no JSON, and no use to a reader.
        json.dumps(dict(decision.evidence), allow_nan=False)


def check_signals_can_be_acted_on(strategy: BaseStrategy) -> None:
    for seed in range(200):
        decision = strategy.evaluate(market(strategy, seed, extra=0))
        if decision.confidence is not None:
            assert math.isfinite(decision.confidence)
            assert 0.0 <= decision.confidence <= 1.0
        if isinstance(decision, Signal):
            last = market(strategy, seed, extra=0).close[-1]
            assert decision.entry_price == Decimal(repr(float(last)))
            is_long = decision.side is Side.LONG
            assert (decision.stop_price < decision.entry_price) is is_long
            assert decision.stop_price > 0
