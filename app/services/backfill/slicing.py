"""From what was loaded or fetched to the slices that the ledger stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from app.models.bars import from_microseconds
from app.models.series_lock import SeriesKey
from app.services.backfill.exchange_walk import Answer
from app.services.backfill.loading import LoadedBars
from app.services.collection.answers import Testimony, bars_of, testimony_of
from app.services.collection.slices import SeriesSlice

# What an archive says so long after the fact is what the exchange stands by.
_ARCHIVE_IS_SETTLED = timedelta(days=30)


def slices_of_files(
    key: SeriesKey,
    files: Sequence[LoadedBars],
    server_now: datetime,
    is_whole: bool = True,
) -> list[SeriesSlice]:
    """Slices of consecutive files; those that say as much of missing slots are joined.

    Archive files are complete for their period (`is_whole`) and count as an answer
    about missing slots; a file somebody recorded is not and does not.
    """

    def judge(file: LoadedBars) -> Testimony:
        return testimony_of(key[1], is_whole and len(file.bars) > 0, file.refused)

    slices = []
    for worth, group in groupby(files, key=lambda file: _worth(judge(file))):
        loaded = LoadedBars.joined(list(group))
        says = judge(loaded)
        is_settled = not is_whole or loaded.ends_at + _ARCHIVE_IS_SETTLED <= server_now
        slices.append(
            SeriesSlice(
                *key,
                loaded.bars,
                loaded.starts_at,
                loaded.ends_at,
                counts_as_answer=worth[0],
                read_at=server_now if is_settled else None,
                refused=says.refused,
                unclear=says.unclear,
            )
        )
    return slices


def slices_of_answers(
    key: SeriesKey, answers: Sequence[Answer], tail_grace_seconds: float
) -> list[SeriesSlice]:
    """Slices of consecutive answers; those that say as much of missing slots joined.

    Only where an answer had bars is a missing slot evidence of anything.
    """

    def judge(answer: Answer) -> Testimony:
        return testimony_of(key[1], answer.holds_bars, answer.page.rejected)

    slices = []
    for worth, group in groupby(answers, key=lambda answer: _worth(judge(answer))):
        part = list(group)
        pages = [answer.page for answer in part]
        said = [judge(answer) for answer in part]
        slices.append(
            SeriesSlice(
                *key,
                bars_of(pages),
                answered_from=pages[0].timeframe.ceil(pages[0].since),
                answered_until=max(page.covered_until for page in pages),
                counts_as_answer=worth[0],
                read_at=min(page.server_now for page in pages),
                refused=frozenset().union(*(each.refused for each in said)),
                unclear=sum(each.unclear for each in said),
            )
        )
    if slices:
        slices[-1] = _without_late_tail(
            slices[-1], answers[-1].page.server_now, tail_grace_seconds
        )
    return slices


def _worth(says: Testimony) -> tuple[bool, bool]:
    return says.counts_as_answer, says.unclear > 0


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
