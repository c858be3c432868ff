"""One owner of a piece of work, whatever two processes believe."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from app.core.database import Database
from app.core.exceptions import DatabaseUnavailable, LeaseLost
from app.services.leases import (
    Lease,
    LeaseHolder,
    acquire_lease,
    check_fence,
    release_lease,
    renew_lease,
)
from tests.processes.waiting import wait_until

WORK = "collector:replay"
RUN = UUID(int=1)


def holder(run_id: UUID = RUN, pid: int = 10) -> LeaseHolder:
    return LeaseHolder(run_id, "collector", "host", pid, uuid4())


def acquire(database: Database, who: LeaseHolder, is_restart: bool = False) -> Lease:
    lease = find(database, who, is_restart)
    assert lease is not None
    return lease


def find(
    database: Database, who: LeaseHolder, is_restart: bool = False
) -> Lease | None:
    with database.session_scope() as session:
        return acquire_lease(session, WORK, who, is_restart=is_restart)


def expire(database: Database) -> None:
    with database.session_scope() as session:
        session.execute(
            sa.text(
                "UPDATE process_leases SET expires_at = clock_timestamp() - '1 s'::"
                "interval"
            )
        )


def write(database: Database, epoch: int, value: int) -> None:
    with database.session_scope() as session:
        check_fence(session, WORK, epoch)
        session.execute(sa.text("INSERT INTO written VALUES (:v)"), {"v": value})


def written(database: Database) -> list[int]:
    with database.session_scope() as session:
        query = sa.text("SELECT value FROM written ORDER BY place")
        return list(session.scalars(query))


@pytest.fixture(autouse=True)
def written_table(database: Database) -> Iterator[None]:
    with database.session_scope() as session:
        session.execute(sa.text("CREATE TABLE written (value int, place serial)"))
    yield


def test_of_two_that_race_one_wins(database: Database) -> None:
    barrier = threading.Barrier(8)

    def race(number: int) -> Lease | None:
        barrier.wait()
        return find(database, holder(uuid4(), number))

    # As many connections as the pool has, each used more than once.
    with ThreadPoolExecutor(8) as threads:
        leases = [lease for lease in threads.map(race, range(8)) if lease]
    assert [lease.epoch for lease in leases] == [1]


def test_the_loser_stands_by_until_the_lease_expires(database: Database) -> None:
    first = acquire(database, holder())
    second = holder(UUID(int=2))
    assert find(database, second) is None
    expire(database)
    assert acquire(database, second).epoch == first.epoch + 1


def test_an_expired_lease_that_racers_want_goes_to_one(database: Database) -> None:
    acquire(database, holder())
    expire(database)
    with ThreadPoolExecutor(4) as threads:
        racers = [holder(uuid4(), number) for number in range(4)]
        won = [lease for lease in threads.map(lambda r: find(database, r), racers)]
    assert [lease.epoch for lease in won if lease] == [2]


def test_a_zombie_cannot_write_after_its_successor(database: Database) -> None:
    """Stopped for a while (SIGSTOP, a paused machine), it goes on where it was."""
    zombie = acquire(database, holder())
    write(database, zombie.epoch, 1)
    expire(database)
    successor = acquire(database, holder(UUID(int=2)))
    write(database, successor.epoch, 2)
    with pytest.raises(LeaseLost, match="epoch 2, ours was 1"):
        write(database, zombie.epoch, 3)
    with pytest.raises(LeaseLost), database.session_scope() as session:
        renew_lease(session, zombie)
    assert written(database) == [1, 2]


def test_a_takeover_waits_for_a_write_under_way(database: Database) -> None:
    old = acquire(database, holder())
    expire(database)
    with ThreadPoolExecutor(1) as threads:
        with database.session_scope() as session:
            check_fence(session, WORK, old.epoch)
            taking = threads.submit(acquire, database, holder(UUID(int=2)))
            wait_until(lambda: is_blocked(database))
            session.execute(sa.text("INSERT INTO written VALUES (1)"))
        write(database, taking.result(10).epoch, 2)
    assert written(database) == [1, 2]


def test_a_process_stopped_inside_a_write_does_not_keep_others_out(
    database: Database,
) -> None:
    old = acquire(database, holder())
    expire(database)
    with pytest.raises(DatabaseUnavailable), database.session_scope() as stopped:
        check_fence(stopped, WORK, old.epoch, stall_seconds=0.2)
        stopped.execute(sa.text("INSERT INTO written VALUES (1)"))
        # The server ends that transaction; the successor need not wait for it.
        successor = acquire(database, holder(UUID(int=2)))
        write(database, successor.epoch, 2)
        stopped.execute(sa.text("INSERT INTO written VALUES (3)"))
    assert written(database) == [2]


def test_a_restarted_process_takes_over_at_once(database: Database) -> None:
    before = acquire(database, holder(pid=10))
    restarted = holder(pid=11)
    assert find(database, restarted) is None
    assert find(database, holder(UUID(int=2)), is_restart=True) is None
    assert acquire(database, restarted, is_restart=True).epoch == before.epoch + 1


def test_a_pid_that_comes_again_is_another_holder(database: Database) -> None:
    """Every container's process has the same one."""
    before = acquire(database, holder(pid=1))
    again = acquire(database, holder(pid=1), is_restart=True)
    assert again.epoch == before.epoch + 1


def test_renewed_is_held_longer_and_released_is_free(database: Database) -> None:
    lease = acquire(database, holder())
    with database.session_scope() as session:
        renewed = renew_lease(session, lease)
    assert renewed.expires_at > lease.expires_at and renewed.epoch == lease.epoch
    with database.session_scope() as session:
        release_lease(session, renewed)
    assert acquire(database, holder(UUID(int=2))).epoch == 2


def is_blocked(database: Database) -> bool:
    query = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.session_scope() as session:
        return bool(session.scalar(query))
