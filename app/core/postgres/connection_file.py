"""The file that tells other processes of the same user how to reach the server."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from sqlalchemy import URL

from app.core.exceptions import ConfigurationError

HOST = "127.0.0.1"
DATABASE = "crypto_bot"
OWNER_ROLE = "crypto_bot"
ADMIN_ROLE = "postgres"


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """Port and passwords of one embedded server."""

    port: int
    password: str = field(repr=False)
    admin_password: str = field(repr=False)

    def url(self) -> str:
        """SQLAlchemy URL of the application's database, password included."""
        return _render(OWNER_ROLE, self.password, self.port, DATABASE)

    def admin_url(self, database: str = "postgres") -> str:
        """SQLAlchemy URL of the superuser, password included."""
        return _render(ADMIN_ROLE, self.admin_password, self.port, database)

    def with_port(self, port: int) -> ConnectionFile:
        """The same passwords on another port."""
        return replace(self, port=port)


def new_connection(port: int) -> ConnectionFile:
    """Fresh random passwords."""
    return ConnectionFile(port, secrets.token_urlsafe(24), secrets.token_urlsafe(24))


def find_connection(path: Path) -> ConnectionFile | None:
    """What `path` holds, or None where there is no such file.

    Raises ConfigurationError for a file of another user or one that is damaged.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return ConnectionFile(**document)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ConfigurationError(
            f"{path} belongs to another user: run as that user, choose another "
            "database.data_directory, or set DATABASE_URL"
        ) from error
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{path} is damaged: restore it from a backup, or move the folder "
            f"{path.parent} away to start with an empty database"
        ) from None  # a decoding error carries the text, and that holds passwords


def save_connection(path: Path, connection: ConnectionFile) -> None:
    """Replace `path` in one step, mode 0600."""
    handle, name = tempfile.mkstemp(prefix=".connection-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(asdict(connection), stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _render(user: str, password: str, port: int, database: str) -> str:
    url = URL.create("postgresql+psycopg2", user, password, HOST, port, database)
    return url.render_as_string(hide_password=False)
