"""Whatever is stored in whatever order, the last value stands and none is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.models import MarketData, MarketDataRevision
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds
from app.models.ingest import IngestResult, store_bars
from tests.models.factories import T0

Slot = tuple[int, Timeframe, int]
# Month ends, so that partitions come into it; prices from few, so that some repeat.
_slots = st.tuples(
    st.integers(1, 3),
    st.sampled_from([Timeframe.M1, Timeframe.M15]),
    st.sampled_from([0, 1, 2, 40_000, 40_001]),
)
_batches = st.lists(
    st.lists(st.tuples(_slots, st.integers(1, 3)), max_size=12), max_size=5
)


@contextmanager
def rolled_back(database: Database) -> Iterator[Session]:
    session = database.session_factory()
    try:
        yield session
    finally:
        session.rollback()
        session.close()


def as_series(rows: list[tuple[Slot, int]]) -> list[SeriesBars]:
    """One batch a row: as scattered as it can come."""
    batches = []
    for (key, timeframe, slot), price in rows:
        step = timeframe.duration * slot
        bar = (to_microseconds(T0 + step), price, price + 1, price, price, price)
        batches.append(SeriesBars(key, timeframe, np.array([bar], BAR_DTYPE)))
    return batches


def key_of(row: MarketData | MarketDataRevision) -> Slot:
    slot = (row.timestamp - T0) // row.timeframe.duration
    return row.cryptocurrency_id, row.timeframe, slot


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_batches)
def test_the_last_value_stands_and_all_others_are_kept(
    database: Database, history: list[list[tuple[Slot, int]]]
) -> None:
    values: dict[Slot, list[float]] = {}
    with rolled_back(database) as session:
        for step, rows in enumerate(history):
            result = store_bars(session, as_series(rows), T0 + timedelta(hours=step))
            expected = IngestResult()
            for slot, price in dict(rows).items():
                past = values.setdefault(slot, [])
                if not past:
                    expected += IngestResult(inserted=1)
                elif past[-1] == price:
                    expected += IngestResult(unchanged=1)
                else:
                    expected += IngestResult(revised=1)
                if not past or past[-1] != price:
                    past.append(price)
            assert result == expected
        now = {key_of(bar): bar.close for bar in session.scalars(sa.select(MarketData))}
        kept: dict[Slot, list[float]] = {}
        revisions = sa.select(MarketDataRevision).order_by("known_from")
        for revision in session.scalars(revisions):
            kept.setdefault(key_of(revision), []).append(revision.close)
    assert now == {slot: past[-1] for slot, past in values.items()}
    assert kept == {slot: past[:-1] for slot, past in values.items() if past[1:]}
