"""Support, resistance and volume profiles of bars made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from app.analysis.levels.support_resistance import LevelKind, support_resistance
from app.analysis.levels.volume_profile import volume_profile
from app.analysis.window import CandleWindow
from tests.analysis.windows import random_walk, window_of


def zigzag(turns: list[float], leg: int = 10) -> CandleWindow:
    """Straight legs from one turn to the next."""
    close = np.concatenate(
        [
            np.linspace(a, b, leg, endpoint=False)
            for a, b in zip(turns, turns[1:], strict=False)
        ]
    )
    return window_of(np.append(close, turns[-1]), spread=1e-6)


def test_prices_that_turned_swings_more_than_once_are_levels() -> None:
    window = zigzag([105, 110, 100, 110.1, 99.9, 110, 100, 106])

    levels = support_resistance(window, bars=len(window), swing_length=3)

    assert levels is not None
    support, resistance = levels
    assert support.kind is LevelKind.SUPPORT and support.touches == 3
    assert resistance.kind is LevelKind.RESISTANCE and resistance.touches == 3
    assert support.price == pytest.approx((100 + 99.9 + 100) / 3, rel=1e-5)
    assert resistance.price == pytest.approx((110 + 110.1 + 110) / 3, rel=1e-5)
    assert support.distance == pytest.approx(support.price / 106 - 1)
    first_turn = window.open_at[10].item()
    assert resistance.first_touched_at.replace(tzinfo=None) == first_turn


def test_more_and_fresher_touches_make_a_level_stronger() -> None:
    often = zigzag([105, 110, 100, 110, 102, 110, 104, 110, 106])
    once_more = zigzag([105, 110, 100, 112, 102, 114, 104, 110, 106])

    def strength(window: CandleWindow) -> float:
        levels = support_resistance(window, bars=len(window), swing_length=3)
        assert levels is not None
        return next(x.strength for x in levels if abs(x.price - 110) < 0.1)

    assert 0 < strength(once_more) < strength(often) < 1


def test_levels_wait_for_enough_bars_and_a_still_price_has_none() -> None:
    assert support_resistance(random_walk(299, seed=1)) is None
    assert support_resistance(window_of([5.0] * 300)) == ()
    with pytest.raises(ValueError, match="bars is 14, must be over 14"):
        support_resistance(random_walk(20, seed=1), bars=14)


def test_volume_lies_where_bars_traded() -> None:
    # One bar from 100 to 110 with 10, one from 104 to 106 with 30.
    window = CandleWindow(
        "AAA/USDT",
        random_walk(2, seed=1).timeframe,
        random_walk(2, seed=1).open_at,
        *(np.array(x, dtype=float) for x in ([100, 104], [110, 106], [100, 104])),
        np.array([110.0, 106.0]),
        np.array([10.0, 30.0]),
    )

    profile = volume_profile(window, bars=2, bins=5)

    assert profile is not None
    assert profile.volumes == pytest.approx([2, 2, 32, 2, 2])
    assert profile.poc == pytest.approx(105)
    assert (profile.value_area_low, profile.value_area_high) == pytest.approx(
        (104, 106)
    )
    assert profile.value_area_share == pytest.approx(0.8)


def test_the_value_area_grows_to_the_neighbour_that_traded_more() -> None:
    prices = np.repeat([1.0, 2, 3, 4, 5], [1, 4, 6, 5, 2])
    window = window_of(prices, open_=prices, volume=1.0)

    profile = volume_profile(window, bars=18, bins=5)

    assert profile is not None
    assert profile.volumes == pytest.approx([1, 4, 6, 5, 2])
    assert profile.value_area_share == pytest.approx(15 / 18)
    assert (profile.value_area_low, profile.value_area_high) == pytest.approx(
        (1.8, 4.2)
    )


def test_profiles_of_walks_keep_all_volume_and_hold_the_share_asked() -> None:
    window = random_walk(400, seed=5)

    profile = volume_profile(window, bars=300, bins=40, value_area=0.7)

    assert profile is not None
    assert sum(profile.volumes) == pytest.approx(window.volume[-300:].sum(), rel=1e-9)
    assert 0.7 <= profile.value_area_share < 0.8
    assert profile.low < profile.value_area_low < profile.poc < profile.value_area_high


@pytest.mark.parametrize("price", [1e-10, 1.0, 1e12])
def test_a_still_price_is_one_bin_and_no_volume_is_none(price: float) -> None:
    still = volume_profile(window_of([price] * 300, volume=2.0))

    assert still is not None
    assert still.poc == still.low == still.value_area_high == price
    assert still.volumes == pytest.approx([600])
    assert volume_profile(window_of([price] * 300, volume=0.0)) is None
    assert volume_profile(window_of([price] * 299)) is None
