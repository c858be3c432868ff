"""Which bars a reply or a file may give, told independently of the product."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from app.domain.timeframe import Timeframe
from tests.fuzz.reading import number

_DAY_MS = 86_400_000
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": _DAY_MS, "w": 7 * _DAY_MS}
_LENGTHS_MS = {
    each: int(each.value[:-1]) * _UNITS_MS.get(each.value[-1], 0) for each in Timeframe
}
_FIRST_MS = 1_230_768_000_000  # 2009-01-01
_LAST_MS = 4_102_444_800_000  # 2100-01-01
_NAMES = ("openTime", "open", "high", "low", "close")

Bar = tuple[float, ...]


class Verdict(Enum):
    """What a row of a document is."""

    BAR = "bar"
    MAYBE = "maybe"  # written in a way that a reader may or may not accept
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Row:
    """One item of the document, as we read it: open time, prices, volume."""

    raw: Any
    verdict: Verdict
    bar: Bar


@dataclass(frozen=True, slots=True)
class Window:
    """What was asked: bars of [since, now) that are closed, epoch milliseconds."""

    timeframe: Timeframe
    since_ms: float
    now_ms: float

    def holds(self, open_ms: float) -> bool:
        """Whether a bar that opens then was asked for and is closed."""
        return (
            open_ms >= self.since_ms
            and close_of(open_ms, self.timeframe) <= self.now_ms
        )


def close_of(open_ms: float, timeframe: Timeframe) -> float:
    """End of the bar that opens at `open_ms`."""
    if timeframe.is_month:
        opened = datetime.fromtimestamp(open_ms / 1000, timezone.utc)
        year, month = divmod(opened.year * 12 + opened.month, 12)
        return datetime(year, month + 1, 1, tzinfo=timezone.utc).timestamp() * 1000
    return open_ms + _LENGTHS_MS[timeframe]


def objection(bar: Sequence[float], timeframe: Timeframe) -> str | None:
    """Why no market can have produced the bar; None: it can."""
    open_ms, opened, high, low, close, volume = bar
    if not all(map(math.isfinite, bar)):
        return "a figure is not finite"
    if not _FIRST_MS <= open_ms < _LAST_MS:
        return "its time is not in milliseconds"
    if not is_on_grid(open_ms, timeframe):
        return "it is off the grid"
    if min(opened, high, low, close) <= 0 or volume < 0:
        return "a price is not positive, or the volume negative"
    return "high is below low" if high < low else None


def is_on_grid(open_ms: float, timeframe: Timeframe) -> bool:
    """Whether bars of the time frame open then."""
    if open_ms != int(open_ms):
        return False
    moment = datetime.fromtimestamp(open_ms / 1000, timezone.utc)
    midnight = open_ms % _DAY_MS == 0
    if timeframe.is_month:
        return midnight and moment.day == 1
    if timeframe is Timeframe.W1:
        return midnight and moment.weekday() == 0
    return open_ms % _LENGTHS_MS[timeframe] == 0


def read_row(raw: Any, window: Window, volume_at: int = 5) -> Row:
    """A row of candles; `volume_at` is the column of the volume."""
    columns = (0, 1, 2, 3, 4, volume_at)
    if isinstance(raw, list):
        cells = [raw[at] if at < len(raw) else None for at in columns]
    elif isinstance(raw, dict):
        cells = [raw.get(name) for name in (*_NAMES, "volume")]
    else:
        return Row(raw, Verdict.IMPOSSIBLE, ())
    read = [number(cell) for cell in cells]
    bar = tuple(value for value, _ in read)
    if objection(bar, window.timeframe) or _is_ahead(bar[0], window):
        return Row(raw, Verdict.IMPOSSIBLE, bar)
    is_plain = isinstance(raw, list) and all(is_sure for _, is_sure in read)
    return Row(raw, Verdict.BAR if is_plain else Verdict.MAYBE, bar)


def _is_ahead(open_ms: float, window: Window) -> bool:
    """Whether it opens more than one bar after the one that is open now."""
    now = datetime.fromtimestamp(window.now_ms / 1000, timezone.utc)
    now_open = window.timeframe.floor(now).timestamp() * 1000
    return open_ms > close_of(now_open, window.timeframe)


def judge_bars(
    bars: Sequence[Bar], rows: Sequence[Row], window: Window
) -> Iterator[str]:
    """What is wrong with `bars`, made of a document with these `rows`."""
    opens = [bar[0] for bar in bars]
    if sorted(set(opens)) != opens:
        yield f"open times do not ascend: {opens}"
    said = {row.bar for row in rows if row.verdict is not Verdict.IMPOSSIBLE}
    for bar in bars:
        why = objection(bar, window.timeframe)
        if why is not None:
            yield f"bad bar {bar}: {why}"
        if not window.holds(bar[0]):
            yield f"bar {bar} is not closed, or was not asked for"
        if bar not in said:
            yield f"bar {bar} is not in the document"
    if any(row.verdict is Verdict.MAYBE for row in rows):
        return
    expected = {row.bar[0]: row.bar for row in _wanted(rows, window)}
    lost = set(expected.values()) - set(bars)
    if lost:
        yield f"sound bars are lost: {sorted(lost)[:3]}"


def refusable(rows: Sequence[Row], window: Window) -> tuple[int, int, list[Any]]:
    """Fewest and most refusals there may be, and the rows they may be about."""
    wanted = list(_wanted(rows, window))
    maybe = [row for row in rows if row.verdict is Verdict.MAYBE]
    last = {row.bar[0]: row.bar for row in wanted}
    contradicted = [row for row in wanted if last[row.bar[0]] != row.bar]
    bad = [row for row in rows if row.verdict is Verdict.IMPOSSIBLE]
    sure = len(bad) + (0 if maybe else len(contradicted))
    # Rows that may count may also overrule, and be overruled.
    most = len(rows) if maybe else sure
    return sure, most, [row.raw for row in (rows if maybe else bad + contradicted)]


def _wanted(rows: Sequence[Row], window: Window) -> Iterator[Row]:
    return (
        row for row in rows if row.verdict is Verdict.BAR and window.holds(row.bar[0])
    )
