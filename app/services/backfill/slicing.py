"""From what was loaded or fetched to the slices that the ledger stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

import numpy as np

from app.domain.timeframe import Timeframe
from app.exchange.replies import CandlePage
from app.models.bars import BAR_DTYPE, VALUES, from_microseconds
from app.models.series_lock import SeriesKey
from app.services.backfill.exchange_walk import Answer
from app.services.backfill.loading import LoadedBars
from app.services.collection.slices import SeriesSlice

# What an archive says so long after the fact is what the exchange stands by.
_ARCHIVE_IS_SETTLED = timedelta(days=30)


def slice_of_files(
    key: SeriesKey,
    loaded: LoadedBars,
    server_now: datetime,
    is_whole: bool = True,
) -> SeriesSlice:
    """The slice that consecutive files answer.

    Archive files are complete for their period (`is_whole`) and count as an answer
    about missing slots; a file somebody recorded is not and does not.
    """
    is_settled = not is_whole or loaded.ends_at + _ARCHIVE_IS_SETTLED <= server_now
    refused = [item.open_at for item in loaded.refused if item.open_at is not None]
    return SeriesSlice(
        *key,
        loaded.bars,
        loaded.starts_at,
        loaded.ends_at,
        counts_as_answer=is_whole and len(loaded.bars) > 0,
        read_at=server_now if is_settled else None,
        refused=frozenset(refused),
    )


def slices_of_answers(
    key: SeriesKey, answers: Sequence[Answer], tail_grace_seconds: float
) -> list[SeriesSlice]:
    """Slices of consecutive answers; those with bars joined, `[]` apart.

    Only where an answer had bars is a missing slot evidence of anything.
    """
    slices = []
    for holds_bars, group in groupby(answers, key=lambda answer: answer.holds_bars):
        pages = [answer.page for answer in group]
        slices.append(_slice_of_pages(key, pages, holds_bars))
    if slices:
        slices[-1] = _without_late_tail(
            slices[-1], answers[-1].page.server_now, tail_grace_seconds
        )
    return slices


def without_unlisted(slices: Iterable[SeriesSlice]) -> list[SeriesSlice]:
    """`slices` of a series' beginning, from the first bar they hold on."""
    kept: list[SeriesSlice] = []
    for item in slices:
        if kept:
            kept.append(item)
        elif len(item.bars):
            first = from_microseconds(int(item.bars["open_at"][0]))
            kept.append(replace(item, answered_from=max(item.answered_from, first)))
    return kept


def _slice_of_pages(
    key: SeriesKey, pages: Sequence[CandlePage], holds_bars: bool
) -> SeriesSlice:
    bars = np.empty(sum(len(page) for page in pages), dtype=BAR_DTYPE)
    start = 0
    for page in pages:
        part = bars[start : start + len(page)]
        part["open_at"] = page.open_ms * 1000
        for column, name in enumerate(VALUES):
            part[name] = page.values[:, column]
        start += len(page)
    rejected = [item for page in pages for item in page.rejected]
    return SeriesSlice(
        *key,
        bars,
        answered_from=pages[0].timeframe.ceil(pages[0].since),
        answered_until=max(page.covered_until for page in pages),
        counts_as_answer=holds_bars,
        read_at=min(page.server_now for page in pages),
        refused=frozenset(_slots(key[1], (item.occurred_at for item in rejected))),
    )


def _without_late_tail(
    item: SeriesSlice, server_now: datetime, grace_seconds: float
) -> SeriesSlice:
    """Slots behind the newest bar may only be late: they are left to the collector."""
    overdue = item.timeframe.floor(server_now - timedelta(seconds=grace_seconds))
    reached = item.answered_from
    if len(item.bars):
        last = from_microseconds(int(item.bars["open_at"][-1]))
        reached = item.timeframe.next_open(last)
    until = min(item.answered_until, max(overdue, reached, item.answered_from))
    return replace(item, answered_until=until)


def _slots(
    timeframe: Timeframe, moments: Iterable[datetime | None]
) -> Iterable[datetime]:
    return (m for m in moments if m is not None and timeframe.is_aligned(m))
