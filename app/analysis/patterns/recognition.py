"""All patterns of a window, or only those that its last bar made known."""

from __future__ import annotations

from app.analysis._crossing import first_above
from app.analysis._views import View, find_times_of, times_of
from app.analysis.patterns._hits import (
    Hits,
    confidences,
    mean_true_range,
    without_holes,
)
from app.analysis.patterns._breakouts import BREAKOUTS, BreakoutHits, breakout_hits
from app.analysis.patterns._candlesticks import (
    CANDLESTICKS,
    CONFIRMATIONS,
    candlestick_hits,
)
from app.analysis.patterns.pattern import (
    Breakout,
    LastBarPatterns,
    Pattern,
    PatternReading,
)
from app.analysis.patterns._price_action import PRICE_ACTION, price_action_hits
from app.analysis.window import CandleWindow
from app.domain.direction import Direction

# Enough for the oldest swing of a trend line and for every average: more bars change
# nothing at the last one.
PATTERN_BARS = 120

PATTERN_NAMES: tuple[str, ...] = (
    *(item.name for item in CANDLESTICKS),
    *CONFIRMATIONS,
    *PRICE_ACTION,
    *BREAKOUTS,
)
_FIRST_PRICE_ACTION = len(CANDLESTICKS) + len(CONFIRMATIONS)
_FIRST_BREAKOUT = _FIRST_PRICE_ACTION + len(PRICE_ACTION)
_DIRECTIONS = {
    direction.sign: direction
    for direction in (Direction.BULLISH, Direction.BEARISH, Direction.NEUTRAL)
}


def find_patterns(window: CandleWindow) -> tuple[Pattern, ...]:
    """All patterns but breakouts, in the order in which they became known.

    A pattern is left out where a bar is missing among its own.
    """
    found = _candle_hits(window, since=0).in_order()
    hits, sizes = confidences(window, found, mean_true_range(window))
    return tuple(
        Pattern(
            happened_at=happened_at,
            confirmed_at=confirmed_at,
            name=PATTERN_NAMES[kind],
            direction=_DIRECTIONS[sign],
            confidence=size if size == size else None,
            started_at=started_at,
        )
        for happened_at, confirmed_at, started_at, kind, sign, size in zip(
            times_of(window, hits.happened),
            times_of(window, hits.bars),
            times_of(window, hits.started),
            hits.kinds.tolist(),
            hits.signs.tolist(),
            sizes.tolist(),
            strict=True,
        )
    )


def find_breakouts(window: CandleWindow) -> tuple[Breakout, ...]:
    """All breakouts of ranges and trend lines, in the order in which they happened."""
    found = breakout_hits(window, mean_true_range(window), 0, _FIRST_BREAKOUT)
    up = _breakouts(window, found, Direction.BULLISH)
    down = _breakouts(window, found, Direction.BEARISH)
    return tuple(sorted(up + down, key=lambda item: (item.confirmed_at, item.name)))


def patterns_at_last_bar(window: CandleWindow) -> LastBarPatterns:
    """What the last bar completed, confirmed or broke, from `PATTERN_BARS` bars."""
    window = window.last(PATTERN_BARS)
    last = len(window) - 1
    if last < 0:
        return LastBarPatterns(0, ())
    usual = mean_true_range(window)
    breakouts = breakout_hits(window, usual, last, _FIRST_BREAKOUT).hits
    candles, sizes = confidences(window, _candle_hits(window, since=last), usual)
    hits = Hits.joined([candles, breakouts])
    readings = tuple(
        PatternReading(
            PATTERN_NAMES[kind], _DIRECTIONS[sign], size if size == size else None
        )
        for kind, sign, size in zip(
            hits.kinds.tolist(),
            hits.signs.tolist(),
            [*sizes.tolist(), *breakouts.grades.tolist()],
            strict=True,
        )
    )
    return LastBarPatterns(len(window), readings)


def _candle_hits(window: CandleWindow, since: int) -> Hits:
    hits = Hits.joined(
        [
            candlestick_hits(window, since, 0),
            price_action_hits(window, since, _FIRST_PRICE_ACTION),
        ]
    )
    return without_holes(window, hits) if len(hits.bars) else hits


def _breakouts(
    window: CandleWindow, found: BreakoutHits, direction: Direction
) -> list[Breakout]:
    view = View.of(window, direction)
    is_ours = found.hits.signs == view.sign
    hits, levels = found.hits.where(is_ours), found.levels[is_ours]
    # Price comes back from above: crossings of the mirrored lows and closes.
    down = -levels * view.sign
    retested = first_above(-view.low, down, hits.bars, or_at=True)
    failed = first_above(-view.close, down, hits.bars)
    return [
        Breakout(
            happened_at=broken_at,
            confirmed_at=broken_at,
            name=PATTERN_NAMES[kind],
            direction=direction,
            confidence=confidence,
            started_at=started_at,
            level=level,
            retested_at=retested_at,
            failed_at=failed_at,
        )
        for (
            broken_at,
            started_at,
            kind,
            confidence,
            level,
            retested_at,
            failed_at,
        ) in zip(
            times_of(window, hits.bars),
            times_of(window, hits.started),
            hits.kinds.tolist(),
            hits.grades.tolist(),
            levels.tolist(),
            find_times_of(window, retested),
            find_times_of(window, failed),
            strict=True,
        )
    ]
