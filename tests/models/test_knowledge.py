"""What was known at an instant is the same whenever it is asked."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Database
from app.models.ingest import store_bars
from app.models.knowledge import begin_knowing, find_horizon, publish_horizon
from tests.models.factories import T0, make_bars

AS_OF = sa.text("SELECT close FROM market_data_as_of(:at) ORDER BY timestamp")
HOUR = timedelta(hours=1)


def test_an_instant_beyond_the_horizon_is_refused(database: Database) -> None:
    with database.session_scope() as session:
        publish_horizon(session, T0)
    with (
        pytest.raises(Exception, match="not settled yet, only up to 2025-01-06"),
        database.session_scope() as session,
    ):
        session.execute(AS_OF, {"at": T0 + HOUR})


def test_the_horizon_waits_for_a_writer_under_way(database: Database) -> None:
    with database.session_scope() as session:
        publish_horizon(session, T0)
    with database.session_scope() as writer:
        known_at = begin_knowing(writer, T0 + HOUR)
        store_bars(writer, [make_bars(count=1)], known_at)
        with Session(database.engine) as publisher:
            assert publish_horizon(publisher, T0 + 2 * HOUR, 0.01) is None
            assert find_horizon(publisher) == T0
    with database.session_scope() as session:
        assert publish_horizon(session, T0 + 2 * HOUR) == T0 + 2 * HOUR
        assert list(session.scalars(AS_OF, {"at": T0 + HOUR})) == [100.5]


def test_a_writer_whose_clock_is_behind_stamps_after_the_horizon(
    database: Database,
) -> None:
    with database.session_scope() as session:
        publish_horizon(session, T0 + HOUR)
        before = list(session.scalars(AS_OF, {"at": T0 + HOUR}))
    with database.session_scope() as session:
        known_at = begin_knowing(session, T0)
        store_bars(session, [make_bars(count=2)], known_at)
    with database.session_scope() as session:
        assert known_at > T0 + HOUR
        assert list(session.scalars(AS_OF, {"at": T0 + HOUR})) == before == []


def test_the_horizon_never_goes_back(database: Database) -> None:
    moments: list[datetime] = [T0 + HOUR, T0]
    with database.session_scope() as session:
        stands = [publish_horizon(session, at) for at in moments]
    assert stands == [T0 + HOUR, T0 + HOUR]
