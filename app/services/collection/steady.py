"""Recognises slices that just bring the next bars of their series."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from app.domain.timeframe import Timeframe
from app.models.bars import to_microseconds
from app.models.steady_cursors import NextBars
from app.services.collection.slices import SeriesSlice

_MICROSECOND = timedelta(microseconds=1)
# After a close hundreds of slices share these instants.
_microseconds = lru_cache(maxsize=1_024)(to_microseconds)


@lru_cache
def _step(timeframe: Timeframe) -> int:
    return timeframe.duration // _MICROSECOND


def next_bars_of(item: SeriesSlice) -> NextBars | None:
    """The next bars that `item` brings; None where there is more to it.

    Such a slice has a bar in each slot it speaks of, some at or after the expected
    watermark, and ends with its last one. Nothing about gaps can change then, unless
    the cursor stands elsewhere or an older slot had no bar yet.
    """
    expected = item.expected_from
    if expected is None or item.refused or item.timeframe.is_month:
        return None
    opens, bars = item.bars["open_at"], len(item.bars)
    if not bars:
        return None
    step = _step(item.timeframe)
    first = opens.item(0)
    last = first if bars == 1 else opens.item(-1)
    begins, awaited = _microseconds(item.answered_from), _microseconds(expected)
    is_whole = first == begins and last - first == step * (bars - 1)
    if not is_whole or not begins <= awaited <= last:
        return None
    if _microseconds(item.answered_until) > last + step:
        return None
    new = (last - awaited) // step + 1
    return NextBars(item.key, begins, awaited, last, last + step, new)
