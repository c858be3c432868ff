"""Holds a lease for a process, also while the process waits for the network."""

from __future__ import annotations

import os
import socket
import threading
from uuid import UUID, uuid4

import structlog
from sqlalchemy.orm import Session

from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import AppError, LeaseLost
from app.domain.process import ProcessName
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

_RENEWALS_PER_LEASE = 3


class LeaseKeeper:
    """One process's claim to the work `name`.

    Once held, a thread renews the lease three times in its life, whatever the worker
    waits for; a process that is stopped as a whole loses it. Only `check` makes a
    write safe: that this process believes to hold the lease proves nothing.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        process: ProcessName,
        run_id: UUID,
        seconds: float = LEASE_SECONDS,
    ) -> None:
        self.name = name
        self._database = database
        self._holder = LeaseHolder(
            run_id, process.value, socket.gethostname(), os.getpid(), uuid4()
        )
        self._seconds = seconds
        self._lease: Lease | None = None
        self._has_tried = False
        self._real_clock = SystemClock()
        self._stopping = threading.Event()
        self._renewer: threading.Thread | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch this process works under; None while it stands by."""
        lease = self._lease
        return None if lease is None else lease.epoch

    def hold(self) -> bool:
        """Whether this process does the work; takes the lease if it can be had.

        Call it at the start of each pass; False means stand by. Raises what the
        database raises.
        """
        if self._lease is not None:
            return True
        with self._database.session_scope() as session:
            lease = acquire_lease(
                session,
                self.name,
                self._holder,
                is_restart=not self._has_tried,
                seconds=self._seconds,
            )
        self._has_tried = True
        if lease is None:
            return False
        log.info("lease_acquired", lease=self.name, epoch=lease.epoch)
        self._lease = lease
        if self._renewer is None:
            self._renewer = threading.Thread(
                target=self._renew_until_stopped, name="lease-keeper", daemon=True
            )
            self._renewer.start()
        return True

    def check(self, session: Session) -> None:
        """Fence the transaction of `session`: its first statement.

        Raises LeaseLost where another process does the work now; then this one must
        write nothing, and the next `hold` stands by.
        """
        lease = self._lease
        if lease is None:
            raise LeaseLost(f"{self.name}: this process does not hold the lease")
        try:
            check_fence(session, lease.name, lease.epoch)
        except LeaseLost as lost:
            self._drop(lease, lost)
            raise

    def close(self) -> None:
        """Stop renewing and let others have the lease at once."""
        self._stopping.set()
        if self._renewer is not None:
            self._renewer.join(1.0)
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            with self._database.session_scope() as session:
                release_lease(session, lease)
        except AppError as error:
            # It expires by itself.
            log.warning("lease_not_released", lease=self.name, error=str(error))

    def _renew_until_stopped(self) -> None:
        pause = self._seconds / _RENEWALS_PER_LEASE
        while not self._real_clock.wait(self._stopping, pause):
            lease = self._lease
            if lease is None:
                continue
            try:
                with self._database.session_scope() as session:
                    renew_lease(session, lease, self._seconds)
            except LeaseLost as lost:
                self._drop(lease, lost)
            except AppError as error:
                # The fence decides whether it is still ours; try again in a while.
                log.warning("lease_not_renewed", lease=self.name, error=str(error))

    def _drop(self, lease: Lease, lost: LeaseLost) -> None:
        if self._lease is lease:
            self._lease = None
            log.warning("lease_lost", lease=self.name, reason=str(lost))
