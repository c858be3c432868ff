"""Work that only one process may do: held by a lease, others stand by."""

from __future__ import annotations

import os
import socket
from uuid import UUID, uuid4

import structlog
from sqlalchemy.orm import Session

from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import LeaseLost, RetryableError
from app.services.leases import (
    LEASE_SECONDS,
    Lease,
    LeaseHolder,
    acquire_lease,
    check_fence,
    release_lease,
    renew_lease,
)

log = structlog.get_logger(__name__)

_RENEW_EVERY_SECONDS = LEASE_SECONDS / 3


class ExclusiveWork:
    """The lease of one piece of work, as one process sees it."""

    def __init__(
        self, database: Database, name: str, run_id: UUID, process: str
    ) -> None:
        self._database = database
        self._name = name
        self._holder = LeaseHolder(
            run_id, process, socket.gethostname(), os.getpid(), uuid4()
        )
        self._clock = SystemClock()
        self._lease: Lease | None = None
        self._is_first = True
        self._renewed_at = float("-inf")

    def hold(self) -> bool:
        """Have or get the lease; False while another process has it."""
        now = self._clock.monotonic()
        if self._lease is not None and now - self._renewed_at < _RENEW_EVERY_SECONDS:
            return True
        with self._database.session_scope() as session:
            if self._lease is None:
                lease = acquire_lease(
                    session, self._name, self._holder, is_restart=self._is_first
                )
            else:
                lease = self._renew(session, self._lease)
        if lease is not None and self._lease is None:
            log.info("work_taken", work=self._name, epoch=lease.epoch)
        if lease is None and self._is_first:
            log.warning("standing_by", work=self._name)
        self._lease, self._is_first, self._renewed_at = lease, False, now
        return lease is not None

    def fence(self, session: Session) -> None:
        """Make sure, first in a transaction that writes, that the work is still ours.

        Raises LeaseLost; the next `hold` asks again.
        """
        if self._lease is None:
            raise LeaseLost(f"{self._name}: this process does not hold the lease")
        try:
            check_fence(session, self._name, self._lease.epoch)
        except LeaseLost:
            self._lease = None
            raise

    def release(self) -> None:
        """Let a process that stands by go on at once."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            with self._database.session_scope() as session:
                release_lease(session, lease)
        except RetryableError as error:
            # It runs out by itself.
            log.warning("lease_not_released", work=self._name, error=str(error))

    @staticmethod
    def _renew(session: Session, lease: Lease) -> Lease | None:
        try:
            return renew_lease(session, lease)
        except LeaseLost as error:
            log.warning("work_lost", reason=str(error))
            return None
