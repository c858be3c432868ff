"""Decides which stretches of a series are still to be had, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.timeframe import Timeframe

Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Known:
    """What is accounted for: [history_from, watermark_at) but for these open gaps."""

    history_from: datetime
    watermark_at: datetime
    gaps: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Slots [starts_at, ends_at) to go through; of these only `needed` are missing.

    `goes_back`: newest first, since what is stored lies behind it and history must
    grow without a hole. `is_start`: nothing older is stored, so that slots before
    the first bar found are before the listing and no gap.
    """

    starts_at: datetime
    ends_at: datetime
    needed: tuple[Range, ...]
    goes_back: bool = False
    is_start: bool = False


def plan_stretches(
    timeframe: Timeframe,
    since: datetime,
    until: datetime,
    known: Known | None,
    is_recheck: bool = False,
) -> list[Stretch]:
    """The stretches that together account for [since, until).

    Slots accounted for already are left out unless `is_recheck`; open gaps among them
    are gone through again. A stretch apart from what is stored is widened up to it.
    """
    since, until = timeframe.ceil(since), timeframe.ceil(until)
    if since >= until:
        return []
    if known is None:
        return [Stretch(since, until, ((since, until),), is_start=True)]
    first, last = known.history_from, known.watermark_at
    stretches = []
    if is_recheck:
        inside = (max(since, first), min(until, last))
        if inside[0] < inside[1]:
            stretches.append(Stretch(*inside, (inside,)))
    else:
        stretches += _around(timeframe, known, since, until)
    if since < first:
        front = (since, first)
        stretches.append(Stretch(*front, (front,), goes_back=True, is_start=True))
    if until > last:
        rest = (last, until)
        stretches.append(Stretch(*rest, (rest,)))
    return stretches


def _around(
    timeframe: Timeframe, known: Known, since: datetime, until: datetime
) -> list[Stretch]:
    """Stretches of whole months around the open gaps of [since, until)."""
    found: list[Stretch] = []
    for gap in sorted(known.gaps):
        if gap[1] <= since or gap[0] >= until:
            continue
        # With a bar on either side an answer shows that it reached across the gap.
        needed = (timeframe.shift(gap[0], -1), timeframe.shift(gap[1], 1))
        needed = _within(needed, known)
        months = (Timeframe.MN1.floor(needed[0]), Timeframe.MN1.ceil(needed[1]))
        starts_at, ends_at = _within(months, known)
        starts_at = timeframe.ceil(starts_at)
        if found and starts_at <= found[-1].ends_at:
            last = found.pop()
            starts_at, needs = last.starts_at, _joined(last.needed, needed)
            ends_at = max(ends_at, last.ends_at)
        else:
            needs = (needed,)
        found.append(Stretch(starts_at, ends_at, needs))
    return found


def _within(span: Range, known: Known) -> Range:
    return max(span[0], known.history_from), min(span[1], known.watermark_at)


def _joined(ranges: Sequence[Range], following: Range) -> tuple[Range, ...]:
    *before, last = ranges
    if following[0] <= last[1]:
        return (*before, (last[0], max(last[1], following[1])))
    return (*ranges, following)
