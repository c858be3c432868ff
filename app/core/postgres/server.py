"""The embedded PostgreSQL server: started, watched and stopped by its owner."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import psycopg2
import structlog

from app.core.clock import SystemClock
from app.core.exceptions import ConfigurationError, DatabaseUnavailable
from app.core.postgres.binaries import major_version
from app.core.postgres.child_process import ChildProcess
from app.core.postgres.cluster import (
    check_cluster,
    create_cluster,
    ensure_database,
    open_admin,
)
from app.core.postgres.connection_file import (
    HOST,
    ConnectionFile,
    find_connection,
    new_connection,
    save_connection,
)
from app.core.postgres.identity import Identity
from app.core.postgres.leftovers import clear_leftovers
from app.core.postgres.location import ServerLocation
from app.core.postgres.owner_lock import OwnerLock
from app.core.postgres.ports import free_ports
from app.core.postgres.startup_failure import PortTaken, startup_failure

SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "128MB",
    "random_page_cost": "1.1",
    # A statement on a parent table locks every monthly partition and its index.
    "max_locks_per_transaction": "256",
    # A client that cut its connection must not leave its query running.
    "client_connection_check_interval": "1s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
}
"""Given on the command line, so that they change with the code, not the data."""

_START_SECONDS = 300.0  # recovery after a crash reads up to max_wal_size
_POLL_SECONDS = 0.02
_FAST_STOP_SECONDS = 15.0
_PORT_ATTEMPTS = 5
_log = structlog.get_logger(__name__)
_clock = SystemClock()


class EmbeddedServer:
    """A PostgreSQL server that runs while its owner does.

    Create it through `connect_or_start`, which holds the owner's lock. `start` may
    be called again after the server died: port, passwords and data stay.
    """

    owned = True

    def __init__(
        self,
        location: ServerLocation,
        identity: Identity,
        bin_directory: Path,
        lock: OwnerLock,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.location = location
        self._identity = identity
        self._bin_directory = bin_directory
        self._lock = lock
        self._settings = {**SERVER_SETTINGS, **(settings or {})}
        self._connection: ConnectionFile | None = None
        self._child: ChildProcess | None = None

    @property
    def connection(self) -> ConnectionFile:
        """Port and passwords; raises DatabaseUnavailable before the first start."""
        if self._connection is None:
            raise DatabaseUnavailable("the embedded PostgreSQL has not been started")
        return self._connection

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the application's database, password included."""
        return self.connection.url()

    @property
    def admin_url(self) -> str:
        """SQLAlchemy URL of the superuser, password included."""
        return self.connection.admin_url()

    @property
    def pid(self) -> int:
        """The server's process id; 0 before the first start."""
        return self._child.pid if self._child else 0

    def is_alive(self) -> bool:
        """Whether the server's process runs."""
        return self._child is not None and self._child.is_alive()

    def start(self) -> None:
        """Start the server and wait until it answers.

        Makes the data directory, the role and the database where they are missing,
        and clears away what a killed owner left. Raises ConfigurationError,
        StorageFull or DatabaseUnavailable with the reason.
        """
        if self.is_alive():
            return
        location = self.location
        connection = find_connection(location.connection_file)
        if location.data.exists():
            clear_leftovers(location.data)
            check_cluster(location.data, major_version(), self._identity)
            if connection is None:
                raise ConfigurationError(
                    f"{location.connection_file}, which holds the passwords of "
                    f"{location.data}, is missing: restore it, or move "
                    f"{location.directory} away to start with an empty database"
                )
        remembered = connection.port if connection else None
        ports = free_ports(location.directory, remembered)
        if connection is None:
            connection = new_connection(next(ports))
            # Saved before initdb uses it: a crash in between loses no password.
            save_connection(location.connection_file, connection)
            ports = free_ports(location.directory, connection.port)
        if not location.data.exists():
            create_cluster(
                location.data,
                self._bin_directory,
                self._identity,
                connection.admin_password,
            )
        self._connection = self._start_on_some_port(
            connection, list(islice(ports, _PORT_ATTEMPTS))
        )

    def stop(self) -> None:
        """Shut down cleanly and let go of the lock. Harmless when not running."""
        try:
            if self._child is not None and self._child.is_alive():
                self._stop_child(self._child)
        finally:
            self._lock.release()

    def _start_on_some_port(
        self, connection: ConnectionFile, ports: list[int]
    ) -> ConnectionFile:
        for port in ports:
            candidate = connection.with_port(port)
            if port != connection.port:
                _log.info("postgres_port_changed", old=connection.port, new=port)
            save_connection(self.location.connection_file, candidate)
            try:
                self._start_on(candidate)
            except PortTaken:
                continue
            return candidate
        raise DatabaseUnavailable(f"other programs keep taking the ports {ports}")

    def _start_on(self, connection: ConnectionFile) -> None:
        location = self.location
        command = [str(self._bin_directory / "postgres"), "-D", str(location.data)]
        for name, value in {**self._settings, "port": str(connection.port)}.items():
            command += ["-c", f"{name}={value}"]
        child = ChildProcess(command, self._identity, location.log_file)
        started_at = _clock.monotonic()
        child.start()
        self._child = child
        try:
            self._wait_until_ready(child, connection)
        except BaseException:
            self._stop_child(child)
            raise
        _log.info(
            "postgres_started",
            pid=child.pid,
            port=connection.port,
            data_directory=str(location.data),
            user=self._identity.name,
            seconds=round(_clock.monotonic() - started_at, 3),
        )

    def _wait_until_ready(
        self, child: ChildProcess, connection: ConnectionFile
    ) -> None:
        give_up_at = _clock.monotonic() + _START_SECONDS
        while _clock.monotonic() < give_up_at:
            if not child.is_alive():
                raise startup_failure("postgres", self.location.data, child.output())
            try:
                admin = open_admin(connection)
            except psycopg2.OperationalError as error:
                if "authentication failed" in str(error):
                    raise ConfigurationError(
                        f"{self.location.connection_file} does not hold the passwords "
                        f"of {self.location.data}: restore the file that belongs to it"
                    ) from error
                _clock.wait(child.exited, _POLL_SECONDS)
                continue
            try:
                ensure_database(admin, connection)
            finally:
                admin.close()
            return
        raise DatabaseUnavailable(
            f"the embedded PostgreSQL did not answer on {HOST}:{connection.port} "
            f"within {_START_SECONDS:g} s; see {self.location.log_file}"
        )

    def _stop_child(self, child: ChildProcess) -> None:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            child.send(number)
            if _clock.wait(child.exited, _FAST_STOP_SECONDS):
                _log.info("postgres_stopped", pid=child.pid, signal=number.name)
                return
        raise DatabaseUnavailable(
            f"PostgreSQL, process {child.pid}, outlives SIGKILL: its disk does not "
            "answer"
        )
