"""Candlesticks are TA-Lib's, each with the direction and the bar it was known at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import talib
from talib import abstract

from app.analysis.patterns.recognition import PATTERN_NAMES, find_patterns
from app.analysis.window import CandleWindow
from app.domain.direction import Direction
from tests.analysis.structure.bars import bar, drawn
from tests.analysis.windows import random_walk, window_of

GROUP = talib.get_function_groups()["Pattern Recognition"]
# A quiet rise, of which TA-Lib takes its averages of bodies and shadows.
QUIET = tuple((100 + n, 101.2 + n, 99.8 + n, 101 + n) for n in range(15))
FALL = tuple((130 - n, 130.2 - n, 128.8 - n, 129 - n) for n in range(15))


# What is shorter, or sorts better, than TA-Lib's own title.
RENAMED = {
    "CDL3INSIDE": "three_inside",
    "CDL3OUTSIDE": "three_outside",
    "CDL3STARSINSOUTH": "three_stars_in_south",
    "CDL3WHITESOLDIERS": "three_white_soldiers",
    "CDLGAPSIDESIDEWHITE": "gap_side_by_side_white",
    "CDLHIKKAKEMOD": "hikkake_modified",
    "CDLKICKINGBYLENGTH": "kicking_by_length",
    "CDLRISEFALL3METHODS": "rise_fall_three_methods",
    "CDLTAKURI": "takuri",
    "CDLUNIQUE3RIVER": "unique_three_river",
    "CDLXSIDEGAP3METHODS": "gap_three_methods",
}
UNDIRECTED = {"doji", "high_wave", "long_legged_doji", "rickshaw_man"}
UNDIRECTED |= {"short_line", "spinning_top"}
SIGNS = {Direction.BULLISH: 1, Direction.NEUTRAL: 0, Direction.BEARISH: -1}


def spoken(window: CandleWindow, place: int) -> dict[str, Direction]:
    return {
        pattern.name: pattern.direction
        for pattern in find_patterns(window)
        if pattern.confirmed_at == bar(place)
    }


def test_all_61_of_ta_lib_have_a_name() -> None:
    assert len(GROUP) == 61
    assert len(PATTERN_NAMES) == len(set(PATTERN_NAMES)) == 61 + 2 + 3 + 2


def name_of(function: str) -> str:
    """Our name, from what TA-Lib calls the function."""
    title = abstract.Function(function).info["display_name"].lower()
    for word in (" pattern", " candle"):
        title = title.removesuffix(word)
    return RENAMED.get(function, title.replace("-", "_").replace(" ", "_"))


def random_candles(bars: int, seed: int) -> CandleWindow:
    """Candles in whole steps with runs and gaps: nearly every pattern is among them."""
    noise = np.random.default_rng(seed)
    sign = np.where(np.cumsum(noise.random(bars) < 0.3) % 2, 1, -1)
    body = noise.choice([0, 1, 2, 4, 8, 12], bars) * sign
    gap = noise.choice([0, 0, -2, 2, -5, 5, -13, 13], bars)
    close = 10_000.0 + np.cumsum(body + gap)
    top, bottom = np.maximum(close - body, close), np.minimum(close - body, close)
    high = top + noise.choice([0, 0, 1, 4, 12], bars)
    low = bottom - noise.choice([0, 0, 1, 4, 12], bars)
    high[high == low] += 1
    walk = window_of(close)
    return replace(walk, open=close - body, high=high, low=low)


def told_by_ta_lib(window: CandleWindow) -> dict[str, dict[int, int]]:
    """By name, the sign at each bar of a pattern."""
    prices = (window.open, window.high, window.low, window.close)
    told: dict[str, dict[int, int]] = {}
    for function in GROUP:
        values, name = getattr(talib, function)(*prices), name_of(function)
        sign = 0 if name in UNDIRECTED else -1 if name == "gravestone_doji" else 1
        for place in values.nonzero()[0].tolist():
            value = int(values[place])
            is_confirmed = abs(value) == 200
            signs = told.setdefault(name + "_confirmed" * is_confirmed, {})
            signs[place] = sign if sign < 1 else int(np.sign(value))
    return told


def test_each_pattern_is_where_ta_lib_sees_it_and_points_there() -> None:
    window = random_candles(20_000, seed=20)
    expected = told_by_ta_lib(window)

    own = {"pin_bar", "engulfing_bar", "inside_bar"}
    found: dict[str, dict[int, int]] = {}
    places = {moment: place for place, moment in enumerate(window.open_at.tolist())}
    for pattern in find_patterns(window):
        if pattern.name not in own:
            place = places[pattern.confirmed_at.replace(tzinfo=None)]
            found.setdefault(pattern.name, {})[place] = SIGNS[pattern.direction]

    # Of 61 functions and 2 confirmations all but one have candles here.
    assert len(expected) == 62 and "mat_hold" not in expected
    assert found.keys() == expected.keys()
    for name, signs in expected.items():
        assert found[name] == signs, name


@pytest.mark.parametrize(
    ("before", "candles", "name", "direction"),
    [
        (QUIET, [(116, 116.2, 112, 112.2)], "engulfing", Direction.BEARISH),
        (FALL, [(114.5, 118.2, 114.4, 118)], "engulfing", Direction.BULLISH),
        (FALL, [(113.5, 113.9, 110, 113.8)], "hammer", Direction.BULLISH),
        (QUIET, [(116.5, 120, 116.4, 116.6)], "gravestone_doji", Direction.BEARISH),
        (QUIET, [(116.5, 116.6, 113, 116.5)], "dragonfly_doji", Direction.BULLISH),
        (QUIET, [(116.5, 117.5, 115.5, 116.5)], "doji", Direction.NEUTRAL),
        (QUIET, [(115, 119, 115, 119)], "marubozu", Direction.BULLISH),
        (
            FALL,
            [
                (115, 115.2, 110.8, 111),
                (110, 110.5, 109.6, 110.2),
                (111, 115.2, 111, 115),
            ],
            "morning_star",
            Direction.BULLISH,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_textbook_candles_are_named(
    before: tuple, candles: list, name: str, direction: Direction
) -> None:
    window = drawn(*before, *candles)

    assert spoken(window, len(window) - 1).get(name) is direction


def test_a_hikkake_is_known_twice_at_its_setup_and_at_its_confirmation() -> None:
    # An inside bar, a bar below it, then a close above the inside bar's high.
    candles = [
        (115, 118, 112, 116),
        (115, 117, 113, 116),
        (115, 116, 112, 113),
        (113, 116.5, 112.5, 116),
        (116, 118.5, 115, 118),
    ]
    window = drawn(*QUIET, *candles)
    patterns = {p.name: p for p in find_patterns(window) if "hikkake" in p.name}

    setup, confirmed = patterns["hikkake"], patterns["hikkake_confirmed"]
    assert (setup.happened_at, setup.confirmed_at) == (bar(17), bar(17))
    assert (confirmed.happened_at, confirmed.confirmed_at) == (bar(17), bar(19))
    assert setup.direction is confirmed.direction is Direction.BULLISH
    assert setup.started_at == confirmed.started_at == bar(15)


def test_a_pattern_with_a_bar_missing_among_its_own_is_left_out() -> None:
    candles = (*FALL, (114.5, 118.2, 114.4, 118))

    assert "engulfing" in spoken(drawn(*candles), 15)
    spaced = drawn(*FALL, FALL[-1], candles[-1], missing=(15,))
    assert "engulfing" not in spoken(spaced, 16)
    assert "belt_hold" in spoken(spaced, 16)


def test_a_pattern_that_stands_out_is_told_with_more_confidence() -> None:
    # Bodies of 3.5 and of 1.7, where bars are 1.4 high.
    tall, small = (114.5, 118.2, 114.4, 118), (114.5, 116.3, 114.4, 116.2)
    found = [
        next(p for p in find_patterns(drawn(*FALL, c)) if p.name == "engulfing")
        for c in (small, tall)
    ]

    assert found[0].confidence is not None and found[1].confidence is not None
    assert 0 < found[0].confidence < found[1].confidence < 1
    # The mean of 14 true ranges is not known before 15 bars.
    early = [p.confidence for p in find_patterns(random_walk(14, seed=1))]
    assert early and set(early) == {None}
