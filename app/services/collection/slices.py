"""What one source answered about one series."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from app.domain.timeframe import Timeframe
from app.models.bars import BAR_DTYPE
from app.models.series_lock import SeriesKey
from app.services.collection.accounting import account_for
from app.services.collection.answers import bars_of, testimony_of
from app.services.collection.fetched import FetchedPage


@dataclass(frozen=True, slots=True, eq=False)
class SeriesSlice:
    """Bars of one series, and the slots they were looked for in.

    `bars` is an array of `BAR_DTYPE`, ascending, each slot once, already validated.
    The slots in [answered_from, answered_until) were asked for and answered: one
    without a bar is missing. Whether that says anything about the exchange is
    `counts_as_answer`: a well-formed answer that holds bars speaks for the slots
    before its last bar, an empty one for none. `refused` are the slots whose bars were
    refused, `unclear` is the number of refused bars of slots unknown. `read_at` is the
    exchange's time at which the answer was had, for corrections; None: it tells nothing
    of them.
    `expected_from` is where the series' watermark is believed to stand: a slice that
    just brings the next bars is then stored without reading the cursor first.
    """

    cryptocurrency_id: int
    timeframe: Timeframe
    bars: NDArray[np.void]
    answered_from: datetime
    answered_until: datetime
    counts_as_answer: bool
    read_at: datetime | None = None
    refused: Collection[datetime] = ()
    unclear: int = 0
    expected_from: datetime | None = None

    def __post_init__(self) -> None:
        if self.bars.dtype != BAR_DTYPE or self.bars.ndim != 1:
            raise ValueError(f"bars must be a flat array of {BAR_DTYPE}")

    @property
    def key(self) -> SeriesKey:
        """The series: market and time frame."""
        return (self.cryptocurrency_id, self.timeframe)


def join_adjacent(slices: Sequence[SeriesSlice]) -> list[SeriesSlice]:
    """`slices` with those of one series that touch or overlap made into one.

    Where two hold a bar of the same slot, the one given later counts.
    """
    if len({item.key for item in slices}) == len(slices):
        return list(slices)
    joined: list[SeriesSlice] = []
    order = list(Timeframe)
    for item in sorted(
        slices,
        key=lambda it: (
            it.cryptocurrency_id,
            order.index(it.timeframe),
            it.answered_from,
        ),
    ):
        last = joined[-1] if joined else None
        if last is not None and _fit(last, item):
            joined[-1] = _join(last, item)
        else:
            joined.append(item)
    return joined


def _fit(first: SeriesSlice, second: SeriesSlice) -> bool:
    return (
        first.key == second.key
        and second.answered_from <= first.answered_until
        and first.counts_as_answer == second.counts_as_answer
        and bool(first.unclear) == bool(second.unclear)
    )


def _join(first: SeriesSlice, second: SeriesSlice) -> SeriesSlice:
    bars = np.concatenate((first.bars, second.bars))
    # Stable and read from the end, so that of equal slots the later bar is found.
    _, at = np.unique(bars["open_at"][::-1], return_index=True)
    moments = [moment for moment in (first.read_at, second.read_at) if moment]
    return replace(
        first,
        bars=bars[::-1][at],
        answered_until=max(first.answered_until, second.answered_until),
        read_at=min(moments) if len(moments) == 2 else None,
        refused={*first.refused, *second.refused},
        unclear=first.unclear + second.unclear,
        expected_from=None,
    )


def slice_of_page(item: FetchedPage, tail_grace_seconds: float) -> SeriesSlice:
    """The slice that a page of the exchange answers."""
    task, page = item.task, item.page
    settled = account_for(
        page, task.expected_from, task.request.limit, tail_grace_seconds
    )
    start = page.timeframe.ceil(page.since)
    says = testimony_of(page.timeframe, len(page) > 0, page.rejected)
    return SeriesSlice(
        cryptocurrency_id=task.cryptocurrency_id,
        timeframe=page.timeframe,
        bars=bars_of([page]),
        answered_from=start,
        answered_until=max(start, settled),
        counts_as_answer=says.counts_as_answer,
        read_at=page.server_now,
        refused=says.refused,
        unclear=says.unclear,
        expected_from=task.expected_from,
    )
