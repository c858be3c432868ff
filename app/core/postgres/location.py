"""Where the embedded server keeps its data, and the files beside it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.core.exceptions import ConfigurationError
from app.core.postgres.binaries import SYSTEM_DIRECTORY
from app.core.postgres.identity import Identity

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerLocation:
    """One server's folder. `data` belongs to the server's user, the rest to us."""

    directory: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.directory / "data"

    @property
    def lock_file(self) -> Path:
        """Locked by the process that owns the running server."""
        return self.directory / "owner.lock"

    @property
    def connection_file(self) -> Path:
        """Port and passwords, readable by its owner alone."""
        return self.directory / "connection.json"

    @property
    def log_file(self) -> Path:
        """What the server prints."""
        return self.directory / "server.log"


def choose_location(
    configured: str,
    state_directory: Path,
    identity: Identity,
    system_directory: Path = SYSTEM_DIRECTORY,
) -> ServerLocation:
    """The server's folder, created if need be.

    `configured` (`database.data_directory`) is taken or refused. By default it is
    `postgres` in `state_directory`; where root's unprivileged user cannot get there
    (a project below a 0700 home), a folder of this project's own below
    `system_directory`.

    Raises ConfigurationError naming the folder in the way; changes no permission
    of a folder that was there before.
    """
    chosen = Path(os.path.abspath(configured or state_directory / "postgres"))
    blocked = identity.blocking_folder(chosen)
    if blocked is not None and configured:
        raise ConfigurationError(
            f"database.data_directory {chosen}: user {identity.name}, which runs the "
            f"embedded PostgreSQL, cannot enter {blocked}. Choose another folder, or "
            f"allow it to pass with `chmod o+x {blocked}`"
        )
    if blocked is not None and identity.drops_privileges:
        chosen = system_directory / _project_slug(chosen) / "postgres"
        _log.info(
            "postgres_data_elsewhere",
            data_directory=str(chosen),
            reason=f"user {identity.name} cannot enter {blocked}",
        )
        blocked = identity.blocking_folder(chosen)
    if blocked is not None:
        raise ConfigurationError(
            f"no place for the embedded PostgreSQL's data: user {identity.name} "
            f"cannot enter {blocked}. Set database.data_directory or DATABASE_URL"
        )
    try:
        _make_open_folders(chosen)
    except OSError as error:
        raise ConfigurationError(
            f"cannot create {error.filename or chosen} for the embedded PostgreSQL's "
            f"data: {error.strerror}. Set database.data_directory or DATABASE_URL"
        ) from error
    return ServerLocation(chosen)


def _project_slug(path: Path) -> str:
    # Two checkouts of the same name must not share a database.
    project = path.parent.parent
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", project.name).strip("-") or "project"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
    return f"{name[:40]}-{digest}"


def _make_open_folders(path: Path) -> None:
    # mkdir's mode is cut by the umask, which may shut the server's user out; only
    # folders created here are opened.
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir()
        except FileExistsError:
            continue  # another process was quicker; then it is not ours to change
        folder.chmod(0o755)
    if not path.is_dir():
        raise NotADirectoryError(20, "it is not a folder", str(path))
