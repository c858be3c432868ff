"""Swings, the trend they make and its breaks, on markets drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from app.analysis.structure.breaks import BreakKind, find_structure_breaks
from app.analysis.structure.dealing_range import PriceZone, find_dealing_range
from app.analysis.structure.swings import SwingLabel, SwingPoint, find_swings
from app.domain.direction import Direction
from tests.analysis.structure.bars import bar, drawn, upside_down, zigzag
from tests.analysis.windows import window_of

# Turns at the closes of bars 9, 15, 25, 31, 35 and 47.
MARKET = zigzag(100, 110, 104, 114, 108, 112, 100, 106)


def test_swings_are_labelled_and_known_three_bars_later() -> None:
    swings = find_swings(MARKET, swing_length=3)

    assert [
        (swing.happened_at, swing.price, swing.label and swing.label.value)
        for swing in swings
    ] == [
        (bar(9), 110.25, None),
        (bar(15), 103.75, None),
        (bar(25), 114.25, "HH"),
        (bar(31), 107.75, "HL"),
        (bar(35), 112.25, "LH"),
        (bar(47), 99.75, "LL"),
    ]
    assert [s.confirmed_at for s in swings] == [
        bar(n + 3) for n in (9, 15, 25, 31, 35, 47)
    ]
    assert [swing.broken_at for swing in swings[:2]] == [bar(22), bar(44)]


def test_a_break_is_known_at_its_close_and_named_by_the_trend() -> None:
    up, down = find_structure_breaks(MARKET, swing_length=3)

    assert (up.happened_at, up.confirmed_at) == (bar(22), bar(22))
    assert (up.kind, up.direction) == (BreakKind.BOS, Direction.BULLISH)
    assert (up.level, up.swing_at, up.reversed_at) == (110.25, bar(9), bar(40))
    assert (down.kind, down.direction) == (BreakKind.CHOCH, Direction.BEARISH)
    assert (down.happened_at, down.level, down.swing_at) == (bar(40), 107.75, bar(31))
    assert down.reversed_at is None


def test_going_on_in_the_trend_is_a_bos_and_leaves_the_first_unreversed() -> None:
    breaks = find_structure_breaks(zigzag(100, 110, 104, 116, 110, 122), swing_length=3)

    assert [found.kind for found in breaks] == [BreakKind.BOS, BreakKind.BOS]
    assert {found.direction for found in breaks} == {Direction.BULLISH}
    assert [found.reversed_at for found in breaks] == [None, None]


def test_a_wick_beyond_a_swing_is_no_break() -> None:
    market = zigzag(100, 110, 104, 109)
    high = market.high.copy()
    high[-1] = 111.0
    spiked = type(market)(
        market.symbol,
        market.timeframe,
        market.open_at,
        market.open,
        high,
        market.low,
        market.close,
        market.volume,
    )

    assert find_structure_breaks(spiked, swing_length=3) == ()
    first = find_swings(spiked, swing_length=3)[0]
    assert first.swept_at == bar(len(spiked) - 1) and first.broken_at is None


def tops(*highs: float, length: int = 2) -> list[SwingPoint]:
    """Swings of bars with these highs, whose lows only rise and make no swing."""
    lows = np.linspace(1.0, 2.0, len(highs))
    bars = [(5.0, high, low, 5.0) for high, low in zip(highs, lows, strict=True)]
    return list(find_swings(drawn(*bars), swing_length=length))


def test_a_lower_high_of_the_same_leg_never_stands() -> None:
    first, second = tops(11, 12, 15, 12, 13, 14, 13, 12, 11)

    assert (first.price, first.superseded_at) == (15.0, None)
    assert (second.price, second.superseded_at) == (14.0, bar(7))
    assert second.confirmed_at == bar(7)


def test_a_higher_high_of_the_same_leg_takes_the_place_of_the_first() -> None:
    first, second = tops(11, 12, 14, 12, 13, 16, 13, 12, 11)

    assert (first.price, first.superseded_at) == (14.0, bar(7))
    assert (second.price, second.superseded_at) == (16.0, None)


def test_of_equal_highs_near_each_other_the_first_is_the_swing() -> None:
    plateau = tops(11, 12, 14, 14, 12, 12, 14, 12, 11, 11)

    assert [top.happened_at for top in plateau] == [bar(2), bar(6)]
    assert plateau[1].label is SwingLabel.EQUAL_HIGH
    assert plateau[1].superseded_at == plateau[1].confirmed_at


@pytest.mark.parametrize("length", [1, 2, 5])
def test_rises_and_falls_are_told_alike(length: int) -> None:
    mirrored = upside_down(MARKET)

    here = find_structure_breaks(MARKET, swing_length=length)
    there = find_structure_breaks(mirrored, swing_length=length)

    assert here
    assert [(b.happened_at, b.kind, b.direction.sign, b.level) for b in here] == [
        (b.happened_at, b.kind, -b.direction.sign, 1000 - b.level) for b in there
    ]


def test_price_stands_in_the_range_since_the_newest_swings() -> None:
    found = find_dealing_range(MARKET, swing_length=3)

    assert found is not None
    assert (found.top, found.bottom, found.position) == (112.25, 99.75, 0.5)
    assert found.zone is PriceZone.EQUILIBRIUM
    early = find_dealing_range(MARKET.until(bar(50)), swing_length=3)
    assert early is not None and early.zone is PriceZone.DISCOUNT
    assert early.position == pytest.approx((103 - 99.75) / 12.5)
    assert find_dealing_range(MARKET.until(bar(17)), swing_length=3) is None


def test_a_price_that_never_moved_has_no_range() -> None:
    assert find_dealing_range(window_of(np.full(40, 5.0))) is None


def test_a_length_without_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="swing length 0"):
        find_swings(MARKET, swing_length=0)
