"""Pin bars, inside bars and bars that engulf the whole bar before them."""

from __future__ import annotations

import numpy as np

from app.analysis.patterns._hits import NO_HITS, Hits
from app.analysis.window import CandleWindow

PRICE_ACTION = ("pin_bar", "engulfing_bar", "inside_bar")

# A pin bar's tail is at least this part of its range, the body in the rest.
PIN_TAIL = 2 / 3


def price_action_hits(window: CandleWindow, since: int, first_kind: int) -> Hits:
    """Price action completed at the bars from place `since` on.

    Kinds are numbered from `first_kind` in the order of `PRICE_ACTION`. A pin bar
    points away from its tail, and the longer the tail the better it is formed. An
    engulfing bar has a higher high and a lower low than the bar before it and closes
    beyond one of them; it is graded by its body's part of its range. (TA-Lib's
    `engulfing` compares bodies.) An inside bar stays within the bar before it, and is
    graded by how much smaller it is.
    """
    start = max(since - 1, 0)
    open_, high, low, close = (
        getattr(window, name)[start:] for name in ("open", "high", "low", "close")
    )
    range_ = high - low
    # Bars without a range have no shape; the division is only for the others.
    size = np.where(range_ > 0, range_, np.inf)
    body_top, body_bottom = np.maximum(open_, close), np.minimum(open_, close)
    lower, upper = (body_bottom - low) / size, (high - body_top) / size
    pins = (lower >= PIN_TAIL).astype(np.int64) - (upper >= PIN_TAIL)
    pins[: since - start] = 0
    engulfing = np.zeros(len(high), dtype=np.int64)
    inside = np.zeros(len(high), dtype=bool)
    if len(high) > 1:
        is_outside = (high[1:] > high[:-1]) & (low[1:] < low[:-1])
        closes_beyond = (close[1:] > high[:-1]).astype(np.int64)
        closes_beyond -= close[1:] < low[:-1]
        engulfing[1:] = is_outside * closes_beyond
        inside[1:] = (high[1:] <= high[:-1]) & (low[1:] >= low[:-1])
        inside[1:] &= (range_[1:] < range_[:-1]) & (range_[1:] > 0)
    shrunk = np.zeros(len(high))
    shrunk[1:] = 1 - range_[1:] / size[:-1]
    return Hits.joined(
        [
            _hits(first_kind, pins, np.maximum(lower, upper), start, bars=1),
            _hits(
                first_kind + 1,
                engulfing,
                np.minimum((body_top - body_bottom) / size, 1.0),
                start,
                bars=2,
            ),
            _hits(first_kind + 2, inside, shrunk, start, bars=2, is_neutral=True),
        ]
    )


def _hits(
    kind: int,
    found: np.ndarray[tuple[int], np.dtype],
    grades: np.ndarray[tuple[int], np.dtype[np.float64]],
    start: int,
    *,
    bars: int,
    is_neutral: bool = False,
) -> Hits:
    (places,) = found.nonzero()
    if not len(places):
        return NO_HITS
    at = places + start
    signs = np.zeros(len(at), dtype=np.int64) if is_neutral else found[places]
    kinds = np.full(len(at), kind)
    return Hits(kinds, at, at, at - bars + 1, signs, np.minimum(grades[places], 1.0))
