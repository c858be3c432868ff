"""What a page of bars says about the slots of its series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.slots import SlotRun, split_by_presence
from app.exchange.replies import CandlePage


@dataclass(frozen=True, slots=True)
class PageAccount:
    """Slots newly accounted for: missing runs, and the first slot still unknown."""

    missing: tuple[SlotRun, ...]
    watermark_at: datetime


def account_for(
    page: CandlePage, expected_from: datetime, limit: int, tail_grace_seconds: float
) -> PageAccount:
    """Account for the slots from `expected_from` on that the page speaks of.

    Slots up to the newest bar are settled: a later bar proves that the exchange had
    got that far. Behind the newest bar an absence may only be lateness, so those
    slots are settled once they closed `tail_grace_seconds` ago.

    A page that holds only bars known before answers for everything that its `limit`
    bars could have reached: a halted market goes on serving its last bars for ever.
    """
    timeframe = page.timeframe
    opens = [candle.open_at for candle in page.candles]
    settled, covered = expected_from, page.covered_until
    if opens and opens[-1] >= expected_from:
        settled = timeframe.next_open(opens[-1])
    elif opens:
        reach = timeframe.shift(timeframe.ceil(page.since), limit)
        covered = max(covered, min(reach, timeframe.floor(page.server_now)))
    late = page.server_now - timedelta(seconds=tail_grace_seconds)
    overdue = timeframe.floor(late)  # slots before it closed at `late` or earlier
    settled = max(settled, min(covered, overdue))
    runs = (
        split_by_presence(timeframe, expected_from, settled, opens)
        if settled > expected_from
        else []
    )
    return PageAccount(tuple(run for run in runs if not run.is_filled), settled)
