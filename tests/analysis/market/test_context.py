"""A market on several time frames, as known at one instant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.market_context import agreement_of
from app.analysis.preparation.resample import resample_ohlcv
from app.analysis.window import CandleWindow
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe
from tests.analysis.windows import random_walk, window_of

ANALYZER = MarketAnalyzer()
QUARTERS = random_walk(9_000, seed=7, timeframe=Timeframe.M15, deviation=0.01)


def frames(window: CandleWindow) -> dict[Timeframe, CandleWindow]:
    """The window with its complete hours and four hours, largest first."""
    return {
        Timeframe.H4: resample_ohlcv(window, Timeframe.H4).complete(),
        Timeframe.H1: resample_ohlcv(window, Timeframe.H1).complete(),
        Timeframe.M15: window,
    }


def test_a_context_holds_each_reading_of_each_time_frame() -> None:
    windows = frames(QUARTERS)

    context = ANALYZER.get_market_context(windows)

    assert list(context.timeframes) == [Timeframe.M15, Timeframe.H1, Timeframe.H4]
    assert context.as_of == QUARTERS.last_close_at
    for timeframe, found in context.timeframes.items():
        window = windows[timeframe]
        assert found.bar_at == window.last_open_at and found.bars == len(window)
        assert found.regime == ANALYZER.regime(window)
        assert found.trend == ANALYZER.trend(window)
        assert found.volatility == ANALYZER.volatility(window)
        assert found.volume == ANALYZER.volume(window)
    assert context.btc_impulse is context.breadth is None


def test_bars_that_closed_later_are_left_out() -> None:
    known = QUARTERS._slice(0, 8_002)  # half past an hour
    later = frames(QUARTERS)
    later[Timeframe.M15] = known

    context = ANALYZER.get_market_context(later, QUARTERS, {"A": QUARTERS})

    alone = ANALYZER.get_market_context(frames(known), known, {"A": known})
    assert context == alone
    assert context.timeframes[Timeframe.H1].bars == 2_000
    assert context.btc_impulse == ANALYZER.btc_impulse(known)
    assert context.breadth is not None and context.breadth.markets == 1


def test_the_regimes_agree_on_a_direction() -> None:
    bars = ANALYZER.bars_needed
    climb = window_of(np.exp(0.01 * np.arange(bars)), spread=0.001)
    fall = window_of(
        np.exp(-0.01 * np.arange(bars)), spread=0.001, timeframe=Timeframe.M15
    )
    short = fall.last(200)

    both = ANALYZER.get_market_context({Timeframe.M5: climb})
    against = agreement_of(
        {
            **both.timeframes,
            **ANALYZER.get_market_context({Timeframe.M15: fall}).timeframes,
        }
    )
    unknown = ANALYZER.get_market_context({Timeframe.M15: short})

    assert both.agreement == 1.0 and against == 0.0 and unknown.agreement is None
    regimes = ANALYZER.regimes({Timeframe.M5: climb, Timeframe.M15: short})
    assert regimes[Timeframe.M5].regime is Regime.TRENDING_UP
    assert regimes[Timeframe.M15].regime is None


def test_the_session_is_that_of_the_close() -> None:
    # The last of 36 quarters from midnight on closes at 9.
    context = ANALYZER.get_market_context({Timeframe.M15: QUARTERS._slice(0, 36)})

    assert context.as_of == datetime(2025, 1, 6, 9, tzinfo=timezone.utc)
    assert context.session is not None
    assert not context.session.asia and context.session.london


def test_missing_bars_are_told() -> None:
    kept = np.r_[np.arange(50), np.arange(53, 60)]
    holed = CandleWindow(
        "A",
        Timeframe.M15,
        *(
            getattr(QUARTERS, name)[kept]
            for name in ("open_at", "open", "high", "low", "close", "volume")
        ),
    )

    context = ANALYZER.get_market_context({Timeframe.M15: holed})

    assert context.timeframes[Timeframe.M15].missing_bars == 3
    assert context.as_of == QUARTERS.last_open_at.replace(
        year=2025, month=1, day=6, hour=0, minute=0
    ) + timedelta(minutes=15 * 60)


@pytest.mark.parametrize("windows", [{}, {Timeframe.M15: QUARTERS._slice(0, 0)}])
def test_without_bars_there_is_nothing_to_tell(
    windows: dict[Timeframe, CandleWindow],
) -> None:
    context = ANALYZER.get_market_context(windows, QUARTERS)

    assert context.as_of is context.session is context.agreement is None
    assert context.timeframes == {} and context.btc_impulse is None


def test_an_empty_short_time_frame_leaves_the_larger_ones() -> None:
    windows = frames(QUARTERS) | {Timeframe.M15: QUARTERS._slice(0, 0)}

    context = ANALYZER.get_market_context(windows)

    assert list(context.timeframes) == [Timeframe.H1, Timeframe.H4]
    assert context.as_of == windows[Timeframe.H1].last_close_at
