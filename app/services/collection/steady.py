"""Recognises slices that just bring the next bars of their series."""

from __future__ import annotations

from datetime import timedelta

from app.models.bars import to_microseconds
from app.models.steady_cursors import NextBars
from app.services.collection.slices import SeriesSlice

_MICROSECOND = timedelta(microseconds=1)


def next_bars_of(item: SeriesSlice) -> NextBars | None:
    """The next bars that `item` brings; None where there is more to it.

    Such a slice has a bar in each slot it speaks of, some at or after the expected
    watermark, and ends with its last one. Nothing about gaps can change then, unless
    the cursor stands elsewhere or an older slot had no bar yet.
    """
    expected = item.expected_from
    if expected is None or item.refused or item.timeframe.is_month:
        return None
    opens = item.bars["open_at"]
    if not len(opens):
        return None
    step = item.timeframe.duration // _MICROSECOND
    first, last = int(opens[0]), int(opens[-1])
    begins, awaited = to_microseconds(item.answered_from), to_microseconds(expected)
    is_whole = first == begins and last - first == step * (len(opens) - 1)
    if not is_whole or not begins <= awaited <= last:
        return None
    if to_microseconds(item.answered_until) > last + step:
        return None
    new = (last - awaited) // step + 1
    return NextBars(item.key, begins, awaited, last, last + step, new)
