"""What MomentumStrategy buys and why it passes, on one made-up market each."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import talib
from pydantic import ValidationError

from app.analysis.window import CandleWindow
from app.config.settings import MomentumSettings
from app.core.exceptions import ConfigurationError
from app.domain.decision import ReasonCode, Refusal, Side, Signal
from app.strategies.momentum import MomentumStrategy
from tests.analysis.windows import first_bars, random_walk, window_of

STRATEGY = MomentumStrategy(MomentumSettings())
BARS = STRATEGY.bars_needed


def market(
    *,
    drift: float = 0.0002,
    swing: float = 0.01,
    phase: int = 8,
    jitter: float = 0.0,
    spread: float = 0.001,
    last_volume: float = 150.0,
    scale: float = 100.0,
) -> CandleWindow:
    """A rising price that swings once in 20 bars, on an even volume of 100.

    By default it ends in the upper half of a rising swing, which is a signal; each
    refusal below changes what it must and no more.
    """
    bar = np.arange(BARS)
    wave = 1 + swing * np.sin((bar + phase) * 2 * np.pi / 20)
    zigzag = 1 + jitter * np.resize([1.0, -1.0], BARS)
    volume = np.full(BARS, 100.0)
    volume[-1] = last_volume
    close = scale * np.exp(drift * bar) * wave * zigzag
    return window_of(close, spread=spread, volume=volume)


def signal_of(window: CandleWindow, **settings: Any) -> Signal:
    decision = MomentumStrategy(MomentumSettings(**settings)).evaluate(window)
    assert isinstance(decision, Signal), decision
    return decision


REFUSED = {
    ReasonCode.FLAT_MARKET: window_of([100.0] * BARS),
    ReasonCode.TREND_DOWN: market(drift=-0.002),
    # At the top of the swing the price still rises, more slowly.
    ReasonCode.MACD_NOT_RISING: market(phase=12),
    # Early in the swing, with steps back after each step ahead.
    ReasonCode.RSI_TOO_LOW: market(phase=6, jitter=0.004),
    ReasonCode.RSI_TOO_HIGH: market(drift=0.0002, swing=0.001, phase=6),
    ReasonCode.VOLUME_TOO_LOW: market(last_volume=109.0),
    # Bars higher than two thirds of the price: 1.5 ATR reach below zero.
    ReasonCode.STOP_UNUSABLE: market(spread=0.6),
    ReasonCode.CONFIDENCE_TOO_LOW: market(
        drift=0.00002, swing=0.003, phase=7, jitter=0.001, last_volume=120.0
    ),
    # Sums of such prices leave the range of floats.
    ReasonCode.INDICATOR_WARMING_UP: market(scale=1e307),
}


@pytest.mark.parametrize("reason", REFUSED, ids=lambda reason: reason.value)
def test_a_market_is_refused_for(reason: ReasonCode) -> None:
    decision = STRATEGY.evaluate(REFUSED[reason])

    assert isinstance(decision, Refusal), decision
    assert decision.reason is reason


@pytest.mark.parametrize(
    "window",
    [*REFUSED.values(), market(scale=3e307, spread=0.6)],
    ids=[*(reason.value for reason in REFUSED), "overflowing range"],
)
def test_evidence_of_a_refusal_holds_no_nan_or_infinity(window: CandleWindow) -> None:
    evidence = STRATEGY.evaluate(window).evidence

    figures = [value for value in evidence.values() if value is not None]
    assert figures and np.isfinite(figures).all()


def test_a_close_under_the_slow_average_is_no_up_trend() -> None:
    close = market(drift=0.002).close.copy()
    close[-1] *= 0.92

    decision = STRATEGY.evaluate(window_of(close, spread=0.001))

    assert decision.reason is ReasonCode.TREND_DOWN
    fast, slow = decision.evidence["ema_fast"], decision.evidence["ema_slow"]
    assert fast is not None and slow is not None and fast > slow > close[-1]


def test_every_reason_the_rules_name_has_a_market_above() -> None:
    shared = {
        ReasonCode.SHORT_HISTORY,
        ReasonCode.STALE_DATA,
        ReasonCode.GAP_IN_WINDOW,
        ReasonCode.MOMENTUM_LONG,
    }
    names = list(ReasonCode)
    of_strategies = set(names[: names.index(ReasonCode.POSITION_OPEN)])

    assert set(REFUSED) == of_strategies - shared


def test_a_rising_swing_on_volume_is_bought_at_the_close() -> None:
    window = market()

    signal = signal_of(window)

    assert signal.side is Side.LONG and signal.reason is ReasonCode.MOMENTUM_LONG
    assert signal.entry_price == Decimal(repr(float(window.close[-1])))
    assert signal.bar_at == window.last_open_at


def test_figures_in_the_evidence_are_talibs_on_all_bars() -> None:
    window = market()
    close, bars = window.close, (window.high, window.low, window.close)
    line, macd_signal, histogram = talib.MACD(close, 12, 26, 9)

    evidence = signal_of(window).evidence

    expected = {
        "close": close[-1],
        "rsi": talib.RSI(close, 14)[-1],
        "macd": line[-1],
        "macd_signal": macd_signal[-1],
        "macd_histogram": histogram[-1],
        "macd_histogram_previous": histogram[-2],
        "ema_fast": talib.EMA(close, 20)[-1],
        "ema_slow": talib.EMA(close, 50)[-1],
        "atr": talib.ATR(*bars, 14)[-1],
        "volume_ratio": 1.5,
    }
    for name, value in expected.items():
        assert evidence[name] == pytest.approx(value, rel=1e-6), name


def test_the_histogram_before_is_the_one_judged_a_bar_ago() -> None:
    window = random_walk(BARS + 30, seed=7)

    for end in range(BARS + 1, len(window)):
        now, ago = (STRATEGY.evaluate(first_bars(window, n)) for n in (end, end - 1))
        before = now.evidence["macd_histogram_previous"]
        assert before == ago.evidence["macd_histogram"]


@pytest.mark.parametrize("stop_atr", [0.5, 1.5, 4.0])
def test_the_stop_lies_so_many_atrs_under_the_close(stop_atr: float) -> None:
    window = market()
    atr = talib.ATR(window.high, window.low, window.close, 14)[-1]

    signal = signal_of(window, stop_atr=stop_atr)

    risk = float(signal.entry_price - signal.stop_price)
    assert risk == pytest.approx(stop_atr * atr, rel=1e-6)
    assert float(signal.stop_price) == signal.evidence["stop"]


def test_confidence_is_half_plus_half_the_weighted_parts() -> None:
    # Wide bars, so that neither trend nor MACD reaches full marks.
    window = market(spread=0.01, last_volume=165.0)
    close, bars = window.close, (window.high, window.low, window.close)
    atr = talib.ATR(*bars, 14)[-1]
    spread = talib.EMA(close, 20)[-1] - talib.EMA(close, 50)[-1]
    parts = {
        "confidence_trend": spread / (2 * atr),
        "confidence_macd": talib.MACD(close, 12, 26, 9)[2][-1] / (atr / 4),
        # The band is 52 to 75: its middle 63.5, half of it 11.5.
        "confidence_rsi": 1 - abs(talib.RSI(close, 14)[-1] - 63.5) / 11.5,
        # 1.65 is 1.5 times the least ratio, a quarter of the way to 3 times.
        "confidence_volume": 0.25,
    }
    assert all(0.05 < part < 0.95 for part in parts.values()), "none is cut off"

    signal = signal_of(window)

    for name, part in parts.items():
        assert signal.evidence[name] == pytest.approx(part, rel=1e-6), name
    trend, macd, rsi, volume = parts.values()
    expected = 0.5 + 0.5 * (0.35 * trend + 0.25 * macd + 0.2 * rsi + 0.2 * volume)
    assert signal.confidence == pytest.approx(expected, rel=1e-6)


def test_parts_of_the_confidence_stop_at_full_marks() -> None:
    signal = signal_of(market(last_volume=1e9))

    assert signal.evidence["confidence_volume"] == 1.0
    assert signal.confidence <= 1.0


def test_confidence_of_exactly_the_least_is_enough() -> None:
    window = market()
    confidence = signal_of(window).confidence

    assert signal_of(window, min_confidence=confidence).confidence == confidence
    above = MomentumStrategy(MomentumSettings(min_confidence=confidence + 1e-9))
    refusal = above.evaluate(window)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is ReasonCode.CONFIDENCE_TOO_LOW
    assert refusal.confidence == confidence


def test_a_least_volume_of_zero_asks_for_none() -> None:
    signal = signal_of(market(last_volume=0.0), min_volume_ratio=0.0)

    assert signal.evidence["volume_ratio"] == 0.0
    assert signal.evidence["confidence_volume"] == 0.0


def test_without_trades_before_the_bar_its_volume_confirms_nothing() -> None:
    quiet = replace(market(), volume=np.append(np.zeros(BARS - 1), 1e6))

    refusal = STRATEGY.evaluate(quiet)
    signal = signal_of(quiet, min_volume_ratio=0.0)

    assert refusal.reason is ReasonCode.VOLUME_TOO_LOW
    assert refusal.evidence["volume_ratio"] is signal.evidence["volume_ratio"] is None
    assert signal.evidence["confidence_volume"] == 0.0


def test_settings_that_cannot_work_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"window_bars is 100.*at least 396"):
        MomentumStrategy(MomentumSettings(window_bars=100))
    with pytest.raises(ValidationError, match=r"macd_fast: 30 is not below"):
        MomentumSettings(macd_fast=30)
