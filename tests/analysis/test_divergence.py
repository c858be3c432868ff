"""Divergences between swings made by hand, and when they become known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from app.analysis.divergence import DivergenceKind, detect_divergence
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Rsi
from app.analysis.window import CandleWindow, FloatArray
from tests.analysis.windows import random_walk, window_of

STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Given(Indicator):
    """Values made up for the test: volume stands in for them."""

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("given",)

    @property
    def bars_needed(self) -> int:
        return 1

    def _series(self, window: CandleWindow) -> tuple[FloatArray, ...]:
        return (window.volume,)


def two_swings(side: float, second_price: float, second_value: float) -> CandleWindow:
    """Peaks (side 1) or troughs (-1) at bars 10 and 25: 100 then `second_price`, where
    the indicator reads 50, then `second_value`."""
    # Away from both ends the price drifts off: a plateau would be a swing too.
    drift = np.maximum(0, np.abs(np.arange(40) - 17.5) - 12)
    close = 100.0 - side * (10 + drift)
    for at, price in ((10, 100.0), (25, second_price)):
        reach = 5 - np.abs(np.arange(-5, 6))
        close[at - 5 : at + 6] = price - side * (5 - reach)
    values = np.full(40, 30.0)
    values[10], values[25] = 50.0, second_value
    return window_of(close, open_=close, spread=1e-6, volume=values)


@pytest.mark.parametrize(
    ("side", "second_price", "second_value", "kind"),
    [
        (-1, 98.0, 55.0, DivergenceKind.REGULAR_BULLISH),
        (-1, 102.0, 45.0, DivergenceKind.HIDDEN_BULLISH),
        (1, 102.0, 45.0, DivergenceKind.REGULAR_BEARISH),
        (1, 98.0, 55.0, DivergenceKind.HIDDEN_BEARISH),
    ],
)
def test_each_kind_is_found_and_known_when_the_second_swing_is(
    side: float, second_price: float, second_value: float, kind: DivergenceKind
) -> None:
    window = two_swings(side, second_price, second_value)

    (found,) = detect_divergence(window, Given(), swing_length=3)

    first_open = window.last_open_at - 39 * STEP
    assert found.kind is kind and found.indicator == "given"
    assert found.first_swing_at == first_open + 10 * STEP
    assert found.happened_at == first_open + 25 * STEP
    assert found.confirmed_at == first_open + 28 * STEP
    assert (found.first_value, found.value) == (50.0, second_value)
    assert found.price == pytest.approx(second_price, rel=1e-5)
    unknown = window.until(first_open + 27 * STEP)
    assert detect_divergence(unknown, Given(), swing_length=3) == ()


@pytest.mark.parametrize(("price", "value"), [(102.0, 55.0), (98.0, 45.0), (102.0, 50)])
def test_price_and_indicator_that_agree_are_no_divergence(
    price: float, value: float
) -> None:
    window = two_swings(1, price, value)

    assert detect_divergence(window, Given(), swing_length=3) == ()


def test_swings_too_far_apart_are_not_compared() -> None:
    window = two_swings(1, 102.0, 45.0)

    assert len(detect_divergence(window, Given(), swing_length=3, max_bars=15)) == 1
    assert detect_divergence(window, Given(), swing_length=3, max_bars=14) == ()


def test_nothing_is_said_while_the_indicator_warms_up() -> None:
    window = random_walk(1500, seed=3)

    found = detect_divergence(window)

    warm_at = window.open_at[Rsi(14).bars_needed - 1].item()
    assert {item.kind for item in found} == set(DivergenceKind)
    assert min(f.first_swing_at for f in found).replace(tzinfo=None) >= warm_at
