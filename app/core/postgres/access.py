"""One door to the database: the configured server, or the embedded one."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
import structlog

from app.config.settings import DatabaseSettings
from app.core.clock import Clock, SystemClock
from app.core.exceptions import ConfigurationError, DatabaseUnavailable, StorageFull
from app.core.postgres.binaries import find_binaries
from app.core.postgres.connection_file import (
    DATABASE,
    HOST,
    OWNER_ROLE,
    find_connection,
)
from app.core.postgres.identity import Identity, identity_of_owner, server_identity
from app.core.postgres.location import ServerLocation, choose_location
from app.core.postgres.owner_lock import OwnerLock
from app.core.postgres.server import EmbeddedServer

_ATTACH_SECONDS = 60.0
_POLL_SECONDS = 0.1
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class DatabaseAccess:
    """How to reach the database.

    `server` is set where this process started the embedded server and so owns it;
    everywhere else nothing needs stopping. `location` is where the embedded server
    keeps its files; None for a configured server.
    """

    url: str = field(repr=False)
    server: EmbeddedServer | None = None
    location: ServerLocation | None = None

    @property
    def owned(self) -> bool:
        """Whether this process started the server."""
        return self.server is not None

    def keep_alive(self) -> None:
        """Start the embedded server again if it died, or its owner ended.

        For a program that must outlive the command whose server it found running:
        it becomes the owner. Cheap while the server runs.

        Raises DatabaseUnavailable when the server had to move to another port, since
        whoever was given `url` cannot follow, and else what `connect_or_start` does.
        """
        if self.location is None:
            return
        with _clear_file_errors(self.location):
            if self.server is None:
                lock = OwnerLock(self.location.lock_file)
                if not lock.acquire():
                    return  # its owner lives, or somebody is starting it just now
                _log.warning("postgres_owner_ended", action="starting it again")
                self.server = _start(
                    self.location, server_identity(), lock, None
                ).server
            elif not self.server.is_alive():
                _log.warning("postgres_died", action="starting it again")
                self.server.start()
        if self.server is not None and self.server.url != self.url:
            raise DatabaseUnavailable(
                "the embedded PostgreSQL was started again, but on port "
                f"{self.server.connection.port}: another program took its port. "
                "Start again to use the new one"
            )


@contextmanager
def database_access(
    settings: DatabaseSettings, state_directory: Path
) -> Iterator[DatabaseAccess]:
    """Access to the database, for as long as the block lasts.

    With `database.url` set nothing is started. Otherwise the embedded server that
    another process runs is used, or one is started, and stopped at the end.

    Raises ConfigurationError, StorageFull or DatabaseUnavailable with the reason.
    """
    url = settings.url.get_secret_value()
    if url:
        yield DatabaseAccess(url)
        return
    identity = server_identity()
    location = choose_location(settings.data_directory, state_directory, identity)
    access = connect_or_start(location, identity)
    try:
        yield access
    finally:
        if access.server is not None:
            access.server.stop()


def find_running_url(settings: DatabaseSettings, state_directory: Path) -> str | None:
    """URL of the embedded server, if one runs just now; starts nothing."""
    identity = server_identity()
    location = choose_location(settings.data_directory, state_directory, identity)
    with _clear_file_errors(location):
        attached = _find_running(location)
    return attached.url if attached else None


def connect_or_start(
    location: ServerLocation,
    identity: Identity,
    *,
    server_settings: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> DatabaseAccess:
    """Attach to the server another process owns here, or start one and own it.

    Waits for an owner that is still starting its server; becomes the owner if that
    one dies meanwhile. The caller stops a server it owns (`DatabaseAccess.server`).

    Raises ConfigurationError, StorageFull or DatabaseUnavailable with the reason.
    """
    clock = clock or SystemClock()
    lock = OwnerLock(location.lock_file)
    give_up_at = clock.monotonic() + _ATTACH_SECONDS
    with _clear_file_errors(location):
        while clock.monotonic() < give_up_at:
            if lock.acquire():
                return _start(location, identity, lock, server_settings)
            attached = _find_running(location)
            if attached is not None:
                return attached
            clock.wait(threading.Event(), _POLL_SECONDS)
    raise DatabaseUnavailable(
        f"another process holds {location.lock_file}, but its PostgreSQL did not "
        f"answer within {_ATTACH_SECONDS:g} s; see {location.log_file}"
    )


def _start(
    location: ServerLocation,
    identity: Identity,
    lock: OwnerLock,
    server_settings: Mapping[str, str] | None,
) -> DatabaseAccess:
    try:
        if location.data.exists():
            identity = identity_of_owner(location.data, identity)
        server = EmbeddedServer(
            location, identity, find_binaries(identity), lock, server_settings
        )
        server.start()
    except BaseException:
        lock.release()
        raise
    return DatabaseAccess(server.url, server, location)


def _find_running(location: ServerLocation) -> DatabaseAccess | None:
    connection = find_connection(location.connection_file)
    if connection is None:
        return None  # its owner is about to write it
    try:
        psycopg2.connect(
            host=HOST,
            port=connection.port,
            user=OWNER_ROLE,
            password=connection.password,
            dbname=DATABASE,
            connect_timeout=2,
        ).close()
    except psycopg2.OperationalError:
        return None
    _log.info("postgres_attached", port=connection.port)
    return DatabaseAccess(connection.url(), location=location)


@contextmanager
def _clear_file_errors(location: ServerLocation) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or location.directory
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"no space left for {where}: free some, or choose another "
                "database.data_directory"
            ) from error
        raise ConfigurationError(
            f"the embedded PostgreSQL cannot use {where}: {error.strerror}. Choose "
            "another database.data_directory, or set DATABASE_URL"
        ) from error
