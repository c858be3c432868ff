"""Bugs in storing: bars, their history and the cursor go different ways."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.exceptions import DatabaseUnavailable
from app.models import bar_merge, ingest
from app.models.bar_copy import copy_bars
from app.models.ingest import IngestResult, SeriesBars, store_bars
from app.models.series_state import SeriesState
from app.services.collection import collector, ledger
from app.services.collection.slices import SeriesSlice

# How long a writer that has its first lock waits for the other one to have its own.
_LONGEST_MEETING_SECONDS = 5.0


def watermark_before_rows() -> None:
    """The cursor commits first, the rows in a transaction after it."""

    def store_later(
        session: Session, batches: Sequence[SeriesBars], known_at: datetime, *more: Any
    ) -> IngestResult:
        trial = session.connection().begin_nested()
        result = store_bars(session, batches, known_at, *more)
        trial.rollback()

        def store_now(_: Session) -> None:
            with Session(session.get_bind()) as after:
                store_bars(after, batches, known_at)
                after.commit()

        event.listen(session, "after_commit", store_now, once=True)
        return result

    ledger.store_bars = store_later  # type: ignore[assignment]


def plain_insert() -> None:
    """Every bar of a page is inserted, whether it is stored already or not."""
    ingest._compare = _all_new  # type: ignore[assignment]
    ingest._insert = _insert_blindly  # type: ignore[assignment]


def revision_lost() -> None:
    """A corrected bar replaces the old value, which is not kept."""
    bar_merge._KEEP = sa.text(f"{bar_merge._KEEP.text} AND false")


def known_at_overwritten() -> None:
    """The old value is kept, but as if it had been known only just before."""
    text = bar_merge._KEEP.text
    since = (
        "greatest(CAST(:known_at AS timestamptz), stored.known_at"
        " + interval '1 microsecond') - interval '1 microsecond'"
    )
    bar_merge._KEEP = sa.text(text.replace("stored.known_at, ", f"{since}, ", 1))


def unsorted_upsert() -> None:
    """Each writer locks its series in an order of its own: here one from the end."""
    lock_in_order = ledger.Ledger._lock
    due = [True]  # emptied once this process has waited

    def lock(self: Any, session: Session, slices: Sequence[SeriesSlice]) -> Any:
        keys = sorted({(item.key[0], item.key[1].value) for item in slices})
        me = os.environ["CHAOS_COLLECTOR"]
        if me == "1":
            keys.reverse()
        for number, frame in keys:
            session.execute(
                sa.text(
                    "SELECT 1 FROM series_cursors WHERE cryptocurrency_id = :number"
                    " AND timeframe = CAST(:frame AS timeframe) FOR UPDATE"
                ),
                {"number": number, "frame": frame},
            )
            if due and len(keys) > 1:
                _wait_for_the_other(me)
                due.clear()
        return lock_in_order(self, session, slices)

    ledger.Ledger._lock = lock  # type: ignore[method-assign]


def _wait_for_the_other(me: str) -> None:
    """Return when both writers hold a lock, or when the other does not come."""
    folder = Path(os.environ["CHAOS_FOLDER"])
    mine, other = folder / f"holds-{me}", folder / f"holds-{1 - int(me)}"
    mine.touch()
    deadline = time.monotonic() + _LONGEST_MEETING_SECONDS
    while not other.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.02)  # until the other one has seen it, too
    mine.unlink()


def blind_retry() -> None:
    """After a lost connection the same rows are written again, without a look."""
    service, scope = collector.CollectionService, Database.session_scope
    saved: list[tuple[Any, ...]] = []
    save = service.save

    def remember(self: Any, session: Session, *given: Any) -> None:
        saved.append((self, *given))
        save(self, session, *given)

    @contextmanager
    def retrying(self: Database) -> Iterator[Session]:
        saved.clear()
        try:
            with scope(self) as session:
                yield session
        except DatabaseUnavailable:
            if not saved:
                raise
            one, *given = saved.pop()
            plain_insert()
            with scope(self) as session:
                save(one, session, *given)

    service.save = remember  # type: ignore[method-assign]
    Database.session_scope = retrying  # type: ignore[method-assign]


def watermark_off_by_one() -> None:
    """The watermark stands one slot further than was accounted for."""
    advance = ledger.Ledger._advance

    def too_far(self: Any, book: Any, item: Any, state: SeriesState) -> None:
        before = state.watermark
        advance(self, book, item, state)
        if state.watermark > before:
            state.watermark += round(state.timeframe.duration.total_seconds() * 1e6)

    ledger.Ledger._advance = too_far  # type: ignore[method-assign]


def _all_new(session: Session, timeframe: Any, bars: Any, *more: Any) -> Any:
    import numpy as np

    return np.ones(len(bars), dtype=bool), np.zeros(len(bars), dtype=bool)


def _insert_blindly(
    session: Session, timeframe: Any, bars: Any, known_at: datetime, counts: Any
) -> None:
    copy_bars(session, timeframe, bars, known_at)
    for key, at in bars.series():
        counts[key][0] += at.stop - at.start
