"""Candlesticks are TA-Lib's, each with the direction and the bar it was known at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import talib

from app.analysis.patterns.recognition import PATTERN_NAMES, find_patterns
from app.analysis.window import CandleWindow
from app.domain.direction import Direction
from tests.analysis.recorded import recorded_bars
from tests.analysis.structure.bars import bar, drawn
from tests.analysis.windows import first_bars, random_walk

GROUP = talib.get_function_groups()["Pattern Recognition"]
# A quiet rise, of which TA-Lib takes its averages of bodies and shadows.
QUIET = tuple((100 + n, 101.2 + n, 99.8 + n, 101 + n) for n in range(15))
FALL = tuple((130 - n, 130.2 - n, 128.8 - n, 129 - n) for n in range(15))


def spoken(window: CandleWindow, place: int) -> dict[str, Direction]:
    return {
        pattern.name: pattern.direction
        for pattern in find_patterns(window)
        if pattern.confirmed_at == bar(place)
    }


def test_all_61_of_ta_lib_have_a_name() -> None:
    assert len(GROUP) == 61
    assert len(PATTERN_NAMES) == len(set(PATTERN_NAMES)) == 61 + 2 + 3 + 2


def test_as_many_are_found_as_ta_lib_finds(shared_data: Path) -> None:
    window = first_bars(recorded_bars(shared_data, "ETHUSDT-1m"), 3_000)
    prices = (window.open, window.high, window.low, window.close)
    expected: Counter[int] = Counter()
    for function in GROUP:
        (bars,) = getattr(talib, function)(*prices).nonzero()
        expected.update(bars.tolist())

    own = {"pin_bar", "engulfing_bar", "inside_bar"}
    found = Counter(
        int(
            np.searchsorted(
                window.open_at, np.datetime64(p.confirmed_at.replace(tzinfo=None))
            )
        )
        for p in find_patterns(window)
        if p.name not in own
    )

    assert sum(expected.values()) > 5_000 and found == expected


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
