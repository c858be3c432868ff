"""What keeps the embedded server from starting is said in one clear message."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.exceptions import (
    AppError,
    ConfigurationError,
    DatabaseUnavailable,
    StorageFull,
)
from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.core.postgres.startup_failure import PortTaken, startup_failure
from tests.database_fixtures import temporary_folder


@pytest.fixture
def location() -> Iterator[ServerLocation]:
    with temporary_folder() as folder:
        yield ServerLocation(folder)


def _refusal(location: ServerLocation) -> AppError:
    with pytest.raises(AppError) as caught:
        connect_or_start(location, server_identity())
    return caught.value


def _pretend_data(location: ServerLocation, version: str | None) -> None:
    location.data.mkdir(mode=0o700)
    if version:
        (location.data / "PG_VERSION").write_text(f"{version}\n")


def test_data_of_another_major_version(location: ServerLocation) -> None:
    _pretend_data(location, "15")

    error = _refusal(location)

    assert isinstance(error, ConfigurationError)
    assert "written by PostgreSQL 15, the embedded server is PostgreSQL 18" in str(
        error
    )


def test_a_folder_that_holds_something_else(location: ServerLocation) -> None:
    _pretend_data(location, None)

    assert "not a PostgreSQL data directory" in str(_refusal(location))


def test_a_missing_connection_file(location: ServerLocation) -> None:
    _pretend_data(location, "18")

    assert "connection.json, which holds the passwords" in str(_refusal(location))


def test_a_damaged_connection_file_is_not_quoted(location: ServerLocation) -> None:
    location.connection_file.write_text('{"port": 1, "password": "canary"')

    error = _refusal(location)

    assert "connection.json is damaged" in str(error)
    assert "canary" not in str(error)
    assert error.__cause__ is None


def test_a_connection_file_of_another_database(location: ServerLocation) -> None:
    access = connect_or_start(location, server_identity())
    assert access.server is not None
    access.server.stop()
    saved = location.connection_file.read_text()
    secret = access.server.connection.admin_password
    location.connection_file.write_text(saved.replace(secret, "other"))

    error = _refusal(location)

    assert isinstance(error, ConfigurationError)
    assert "does not hold the passwords" in str(error)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_told_and_leaves_nothing_behind() -> None:
    with temporary_folder() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m,mode=755", "tmpfs", str(folder)],
            check=False,
        )
        if mounted.returncode:
            pytest.skip("this machine does not let us mount")
        try:
            location = ServerLocation(folder)
            assert isinstance(_refusal(location), StorageFull)
            assert not location.data.exists()
            assert not list(folder.glob(".initdb-*"))
        finally:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (
            'FATAL:  could not write lock file "postmaster.pid": '
            "No space left on device",
            StorageFull,
        ),
        (
            'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n'
            "FATAL:  could not create any TCP/IP sockets",
            PortTaken,
        ),
        (
            'FATAL:  could not open file "postmaster.pid": Read-only file system',
            ConfigurationError,
        ),
        ("PANIC:  could not locate a valid checkpoint record", DatabaseUnavailable),
        ("", DatabaseUnavailable),
    ],
)
def test_what_the_server_printed_decides(
    printed: str, expected: type[AppError]
) -> None:
    error = startup_failure("postgres", Path("/srv/data"), printed)

    assert type(error) is expected
    assert "postgres" in str(error)
