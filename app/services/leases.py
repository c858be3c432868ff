"""Who does a piece of work that only one process may do, and how others are kept out.

A lease is held for a while and renewed. Whoever takes it over raises its epoch, and
every transaction of the work checks the epoch it was begun under: a process that was
stopped for a minute and goes on cannot write what its successor has moved past
(M. Kleppmann, "How to do distributed locking", 2016: fencing tokens).

Times are the database's own, in real seconds: holders' clocks may disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.exceptions import LeaseLost
from app.models import ProcessLease

LEASE_SECONDS = 15.0

# A holder begins with run and process, so that a restarted process is known again.
_ACQUIRE = sa.text("""
INSERT INTO process_leases AS held (name, holder, epoch, expires_at)
VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder,
    epoch = held.epoch + CASE WHEN held.holder = excluded.holder THEN 0 ELSE 1 END,
    expires_at = clock_timestamp() + make_interval(secs => :seconds),
    updated_at = clock_timestamp()
WHERE held.holder = excluded.holder
   OR held.expires_at <= clock_timestamp()
   OR (:is_restart AND starts_with(held.holder, :predecessor))
RETURNING epoch, expires_at
""")
_RENEW = sa.text("""
UPDATE process_leases
SET expires_at = clock_timestamp() + make_interval(secs => :seconds),
    updated_at = clock_timestamp()
WHERE name = :name AND epoch = :epoch
RETURNING expires_at
""")
_RELEASE = sa.text("""
UPDATE process_leases
SET expires_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE name = :name AND epoch = :epoch
""")

_FENCE = sa.text("""
SELECT epoch, set_config('idle_in_transaction_session_timeout', :limit, true)
FROM process_leases WHERE name = :name FOR SHARE
""")


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """A process of a run; `token` tells it from every other, also of the same run."""

    run_id: UUID
    process: str
    host: str
    pid: int
    token: UUID

    @property
    def predecessor(self) -> str:
        """How the holder begins that this process replaces after a restart."""
        return f"{self.run_id}/{self.process}/"

    def __str__(self) -> str:
        return f"{self.predecessor}{self.host}/{self.pid}/{self.token}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do the work `name`, until `expires_at` (database clock)."""

    name: str
    epoch: int
    expires_at: datetime


def acquire_lease(
    session: Session,
    name: str,
    holder: LeaseHolder,
    *,
    is_restart: bool = False,
    seconds: float = LEASE_SECONDS,
) -> Lease | None:
    """The lease, if it is free, has expired or is the holder's own; otherwise None.

    With `is_restart` it is also taken, at once, from an earlier process of the same
    run and name. Pass it on the first attempt of a process only: two that both live
    would take it from each other for ever.
    """
    parameters = {
        "name": name,
        "holder": str(holder),
        "predecessor": holder.predecessor,
        "is_restart": is_restart,
        "seconds": seconds,
    }
    row = session.execute(_ACQUIRE, parameters).one_or_none()
    return None if row is None else Lease(name, row.epoch, row.expires_at)


def renew_lease(
    session: Session, lease: Lease, seconds: float = LEASE_SECONDS
) -> Lease:
    """The lease, longer; also after it expired, as long as nobody took it.

    Raises LeaseLost.
    """
    parameters = {"name": lease.name, "epoch": lease.epoch, "seconds": seconds}
    expires_at = session.execute(_RENEW, parameters).scalar_one_or_none()
    if expires_at is None:
        raise _lost(lease.name, lease.epoch, find_epoch(session, lease.name))
    return Lease(lease.name, lease.epoch, expires_at)


def release_lease(session: Session, lease: Lease) -> None:
    """Let others have it now; nothing happens where they have it already."""
    session.execute(_RELEASE, {"name": lease.name, "epoch": lease.epoch})


def check_fence(
    session: Session, name: str, epoch: int, stall_seconds: float = LEASE_SECONDS
) -> None:
    """Make sure that nobody takes the work over before this transaction ends.

    Call it first in each transaction that writes. A takeover waits for those that are
    under way, and those that come later see it. Lest a process that is stopped inside
    one keeps its successor out, the server ends a transaction whose client says
    nothing for `stall_seconds`. Raises LeaseLost.
    """
    parameters = {"name": name, "limit": f"{max(1, round(stall_seconds * 1000))}ms"}
    row = session.execute(_FENCE, parameters).one_or_none()
    found = None if row is None else row.epoch
    if found != epoch:
        raise _lost(name, epoch, found)


def find_epoch(session: Session, name: str) -> int | None:
    """The epoch the work is at; None if nobody ever did it."""
    query = sa.select(ProcessLease.epoch).where(ProcessLease.name == name)
    return session.scalar(query)


def _lost(name: str, epoch: int, found: int | None) -> LeaseLost:
    return LeaseLost(
        f"{name}: another process took over (epoch {found}, ours was {epoch}); "
        "this one stands by"
    )
