"""What the base class promises the author of a strategy."""

from __future__ import annotations

from typing import ClassVar

from app.analysis.window import CandleWindow
from app.domain.decision import ReasonCode, Refusal
from app.domain.timeframe import Timeframe
from app.strategies.base import BaseStrategy
from tests.analysis.windows import random_walk
from tests.strategies.checks import without


class Recording(BaseStrategy):
    """Keeps the windows it was asked to judge, and refuses them all."""

    name: ClassVar[str] = "recording"
    timeframe = Timeframe.H1
    bars_needed = 30

    def __init__(self) -> None:
        self.judged: list[CandleWindow] = []

    def decide(self, window: CandleWindow) -> Refusal:
        self.judged.append(window)
        return self.refuse(window, ReasonCode.FLAT_MARKET, {"close": 1.0})


def test_decide_sees_exactly_the_bars_it_asked_for() -> None:
    strategy = Recording()
    windows = [random_walk(bars, 1, timeframe=Timeframe.H1) for bars in (30, 31, 200)]

    strategy.evaluate_many(windows)

    assert [len(window) for window in strategy.judged] == [30, 30, 30]
    for judged, window in zip(strategy.judged, windows, strict=True):
        assert judged.last_open_at == window.last_open_at


def test_decide_is_not_asked_about_bars_that_cannot_be_judged() -> None:
    strategy = Recording()
    window = random_walk(31, 1, timeframe=Timeframe.H1)
    next_bar = Timeframe.H1.next_open(window.last_open_at)

    strategy.evaluate(window.last(29))
    strategy.evaluate(without(window, 20))
    strategy.evaluate(window, next_bar)

    assert strategy.judged == []


def test_a_refusal_carries_the_strategys_own_reason_and_figures() -> None:
    window = random_walk(30, 1, timeframe=Timeframe.H1)

    decision = Recording().evaluate(window)

    assert decision == Refusal(
        symbol="AAA/USDT",
        strategy="recording",
        timeframe=Timeframe.H1,
        bar_at=window.last_open_at,
        reason=ReasonCode.FLAT_MARKET,
        evidence={"close": 1.0},
    )
