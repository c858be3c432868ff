"""Bugs in storing: bars, their history and the cursor go different ways."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.exceptions import DatabaseUnavailable
from app.models import bar_merge, ingest
from app.models.bar_copy import copy_bars
from app.models.ingest import IngestResult, SeriesBars, store_bars
from app.models.series_lock import SeriesKey
from app.models.series_state import SeriesState, lock_states
from app.services.collection import collector, ledger

# Long enough for two writers to stand in each other's way.
_BETWEEN_LOCKS_SECONDS = 0.015


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
    """Each writer locks its series in an order of its own."""

    def lock(
        session: Session, history_from: Mapping[SeriesKey, datetime], *more: Any
    ) -> dict[SeriesKey, SeriesState]:
        keys = sorted(history_from, key=lambda key: (key[0], key[1].value))
        random.Random(os.getpid()).shuffle(keys)
        for number, frame in keys:
            session.execute(
                sa.text(
                    "SELECT 1 FROM series_cursors WHERE cryptocurrency_id = :number"
                    " AND timeframe = CAST(:frame AS timeframe) FOR UPDATE"
                ),
                {"number": number, "frame": frame.value},
            )
            time.sleep(_BETWEEN_LOCKS_SECONDS)
        return lock_states(session, history_from, *more)

    ledger.lock_states = lock  # type: ignore[assignment]


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

    def too_far(self: Any, item: Any, state: SeriesState, now: datetime) -> None:
        before = state.watermark
        advance(self, item, state, now)
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
