"""Pin, engulfing and inside bars, breakouts, and what the last bar tells of them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from app.analysis.patterns.recognition import (
    PATTERN_BARS,
    find_breakouts,
    find_patterns,
    patterns_at_last_bar,
)
from app.domain.direction import Direction
from tests.analysis.recorded import recorded_bars
from tests.analysis.structure.bars import bar, drawn, upside_down, zigzag
from tests.analysis.windows import first_bars, random_walk

FLAT = tuple((100.0, 101.0, 99.0, 100.0 + n % 2 / 2) for n in range(30))


@pytest.mark.parametrize(
    ("candle", "name", "direction"),
    [
        # Tail 3 of 4 below, 2.6 of 4 (no pin), 3 of 4 above.
        ((100.5, 101, 97, 100), "pin_bar", Direction.BULLISH),
        ((99.6, 101, 97, 100.5), None, None),
        ((99.5, 103, 99, 100), "pin_bar", Direction.BEARISH),
        ((99, 102, 98.5, 101.8), "engulfing_bar", Direction.BULLISH),
        ((100, 102, 98, 98.5), "engulfing_bar", Direction.BEARISH),
        ((100, 100.8, 99.5, 100.4), "inside_bar", Direction.NEUTRAL),
        # Wider than the bar before on both sides, yet closing within it.
        ((100, 102, 98, 100.6), None, None),
    ],
)
def test_price_action_is_named_at_its_bar(
    candle: tuple[float, float, float, float],
    name: str | None,
    direction: Direction | None,
) -> None:
    found = [
        (pattern.name, pattern.direction)
        for pattern in find_patterns(drawn(*FLAT, candle))
        if pattern.confirmed_at == bar(30)
        and pattern.name in ("pin_bar", "engulfing_bar", "inside_bar")
    ]

    assert found == ([(name, direction)] if name else [])


def test_a_range_breaks_at_the_first_close_beyond_its_bars() -> None:
    window = drawn(
        *FLAT,
        (100.5, 101.5, 100, 100.9),
        (100.9, 103, 100.8, 102.5),
        (102.5, 102.6, 101.4, 102),
        (102, 102.1, 99, 99.5),
    )

    (found,) = find_breakouts(window)

    # The wick of bar 30 to 101.5 belongs to the range that bar 31 closes above.
    assert (found.name, found.direction) == ("range_breakout", Direction.BULLISH)
    assert (found.confirmed_at, found.started_at) == (bar(31), bar(11))
    assert found.level == 101.5
    assert (found.retested_at, found.failed_at) == (bar(32), bar(33))
    # 13 true ranges of 2 and one of 2.2; the close is 1 above the level.
    mean = (12 * 2 + 1.5 + 2.2) / 14
    assert found.confidence == pytest.approx(1 / (1 + mean))


def test_a_market_that_has_run_is_no_range() -> None:
    rising = [(100.0 + n, 101.2 + n, 99.8 + n, 101.0 + n) for n in range(60)]

    assert find_breakouts(drawn(*rising)) == ()


def test_a_falling_line_through_two_highs_breaks_upwards() -> None:
    # Highs of 110.25 at bar 9 and 106.25 at bar 25: the line falls a quarter a bar.
    window = zigzag(100, 110, 100, 106, 98, 108)

    found = [b for b in find_breakouts(window) if b.name == "trend_line_breakout"]

    assert [item.direction for item in found] == [Direction.BULLISH]
    (up,) = found
    assert up.started_at == bar(9)
    place = round((up.confirmed_at - bar(0)) / (bar(1) - bar(0)))
    line = 110.25 - (place - 9) / 4
    assert up.level == pytest.approx(line)
    assert window.close[place] > line
    assert window.close[place - 1] <= line + 0.25


def test_breakouts_of_rises_and_falls_are_told_alike() -> None:
    window = random_walk(400, seed=6, deviation=0.01)
    walk = drawn(
        *(
            tuple(math.floor(price * 64) / 64 for price in bar_)
            for bar_ in zip(
                window.open, window.high, window.low, window.close, strict=True
            )
        )
    )

    here, there = find_breakouts(walk), find_breakouts(upside_down(walk))

    assert len(here) > 10
    assert {(b.confirmed_at, b.name, b.direction.sign) for b in here} == {
        (b.confirmed_at, b.name, -b.direction.sign) for b in there
    }


def test_the_last_bar_tells_what_the_whole_window_tells_of_it(
    shared_data: Path,
) -> None:
    minutes = recorded_bars(shared_data, "ETHUSDT-1m")
    told: dict[object, list[tuple[str, Direction, float | None]]] = {}
    for pattern in (*find_patterns(minutes), *find_breakouts(minutes)):
        line = (pattern.name, pattern.direction, pattern.confidence)
        told.setdefault(pattern.confirmed_at, []).append(line)

    for end in range(PATTERN_BARS, len(minutes), 13):
        window = first_bars(minutes, end)
        readings = patterns_at_last_bar(window).readings
        assert sorted(
            (item.name, item.direction, item.confidence) for item in readings
        ) == sorted(told.get(window.last_open_at, []))


def test_the_last_bar_is_stored_as_signed_confidences() -> None:
    window = drawn(*FLAT, (100, 102, 98, 98.5))

    stored = patterns_at_last_bar(window).to_json()

    assert stored["engulfing_bar"] is not None and stored["engulfing_bar"] < 0
    assert patterns_at_last_bar(first_bars(window, 0)).readings == ()
