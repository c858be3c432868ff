"""A process keeps its lease while it waits, and stands by once it has lost it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa

from app.core.database import Database
from app.core.exceptions import LeaseLost
from app.domain.process import ProcessName
from app.processes.lease_keeper import LeaseKeeper
from tests.processes.waiting import wait_until


def keeper(database: Database, seconds: float = 15.0) -> LeaseKeeper:
    return LeaseKeeper(
        database, "collector:replay", ProcessName.COLLECTOR, uuid4(), seconds
    )


@pytest.fixture
def pair(database: Database) -> Iterator[tuple[LeaseKeeper, LeaseKeeper]]:
    with closing(keeper(database)) as first, closing(keeper(database)) as second:
        yield first, second


def expires_at(database: Database) -> datetime:
    with database.session_scope() as session:
        query = sa.text("SELECT expires_at FROM process_leases")
        found: datetime = session.execute(query).scalar_one()
        return found


def test_one_works_and_the_other_stands_by(
    pair: tuple[LeaseKeeper, LeaseKeeper],
) -> None:
    first, second = pair
    assert [first.hold(), second.hold(), first.hold()] == [True, False, True]
    first.close()
    assert second.hold() and second.epoch == 2


def test_a_zombie_is_refused_and_then_stands_by(
    database: Database, pair: tuple[LeaseKeeper, LeaseKeeper]
) -> None:
    zombie, successor = pair
    assert zombie.hold()
    with database.session_scope() as session:
        session.execute(sa.text("UPDATE process_leases SET expires_at = '-infinity'"))
    assert successor.hold()
    with pytest.raises(LeaseLost), database.session_scope() as session:
        zombie.check(session)
    assert not zombie.hold()
    with database.session_scope() as session:
        successor.check(session)


def test_who_stands_by_may_not_write(
    database: Database, pair: tuple[LeaseKeeper, LeaseKeeper]
) -> None:
    assert pair[0].hold() and not pair[1].hold()
    with pytest.raises(LeaseLost), database.session_scope() as session:
        pair[1].check(session)


def test_the_lease_is_renewed_while_the_worker_waits(database: Database) -> None:
    with closing(keeper(database, seconds=0.3)) as owner:
        assert owner.hold()
        first = expires_at(database)
        wait_until(lambda: (expires_at(database) - first).total_seconds() > 0.4)
        assert owner.epoch == 1
