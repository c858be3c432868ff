"""How far a page of bars settles the slots of its series."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from app.exchange.replies import CandlePage


def account_for(
    page: CandlePage, expected_from: datetime, limit: int, tail_grace_seconds: float
) -> datetime:
    """End of the slots that the page answers for; before it none is left open.

    Slots up to the newest bar are settled: a later bar proves that the exchange had
    got that far. Behind the newest bar an absence may only be lateness, so those
    slots are settled once they closed `tail_grace_seconds` ago.

    A page that holds only bars before `expected_from`, all known, answers for
    everything that its `limit` bars could have reached: a halted market goes on
    serving its last bars for ever.
    """
    timeframe = page.timeframe
    settled, covered = expected_from, page.covered_until
    if len(page):
        newest = datetime.fromtimestamp(int(page.open_ms[-1]) / 1000, timezone.utc)
        if newest >= expected_from:
            settled = timeframe.next_open(newest)
        else:
            reach = timeframe.shift(timeframe.ceil(page.since), limit)
            covered = max(covered, min(reach, timeframe.floor(page.server_now)))
    late = page.server_now - timedelta(seconds=tail_grace_seconds)
    overdue = timeframe.floor(late)  # slots before it closed at `late` or earlier
    return max(settled, min(covered, overdue))
