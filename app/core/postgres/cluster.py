"""Creates the embedded server's data directory, once and crash-safely."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import structlog
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import encrypt_password

from app.core.exceptions import ConfigurationError
from app.core.postgres.child_process import server_environment
from app.core.postgres.connection_file import (
    ADMIN_ROLE,
    DATABASE,
    HOST,
    OWNER_ROLE,
    ConnectionFile,
    fsync_folder,
)
from app.core.postgres.identity import Identity
from app.core.postgres.startup_failure import startup_failure

_STAGING_PREFIX = ".initdb-"
_log = structlog.get_logger(__name__)


def create_cluster(
    data: Path, bin_directory: Path, identity: Identity, admin_password: str
) -> None:
    """Run `initdb` beside `data` and move the result there in one step.

    A crash half-way leaves a folder that the next call sweeps up, never a
    half-made data directory. Raises an AppError when it cannot be made.
    """
    for stale in data.parent.glob(f"{_STAGING_PREFIX}*"):
        shutil.rmtree(stale, ignore_errors=True)
    _log.info("postgres_initialised", data_directory=str(data), user=identity.name)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=data.parent))
    try:
        password_file = staging / "password"
        new_data = staging / "data"
        new_data.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(admin_password + "\n", encoding="utf-8")
        if identity.drops_privileges:
            for path in (staging, new_data, password_file):
                os.chown(path, identity.uid, identity.gid)
        _run_initdb(new_data, password_file, bin_directory, identity)
        new_data.rename(data)
        fsync_folder(data.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_cluster(data: Path, major: str, identity: Identity) -> None:
    """Refuse a data directory that this server or this user cannot serve.

    Raises ConfigurationError naming what is in the way.
    """
    try:
        found = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigurationError(
            f"{data} is not a PostgreSQL data directory (no PG_VERSION): choose "
            "another database.data_directory, or move that folder away"
        ) from None
    except PermissionError as error:
        raise ConfigurationError(
            f"{data} belongs to another user than {identity.name}: run as that user, "
            "or choose another database.data_directory"
        ) from error
    if found != major:
        raise ConfigurationError(
            f"{data} was written by PostgreSQL {found}, the embedded server is "
            f"PostgreSQL {major}: dump it with version {found} and restore it here, "
            "choose another database.data_directory, or set DATABASE_URL"
        )


def open_admin(
    connection: ConnectionFile, *, connect_timeout_seconds: int = 2
) -> Connection:
    """A superuser connection outside any transaction; raises psycopg2's errors."""
    admin = psycopg2.connect(
        host=HOST,
        port=connection.port,
        user=ADMIN_ROLE,
        password=connection.admin_password,
        dbname="postgres",
        connect_timeout=connect_timeout_seconds,
        application_name="crypto-bot owner",
    )
    admin.autocommit = True
    return admin


def ensure_database(admin: Connection, connection: ConnectionFile) -> None:
    """Create the application's role and database where they are missing."""
    with admin.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER_ROLE,))
        if cursor.fetchone() is None:
            # The verifier, not the password: a failing statement lands in the log.
            verifier = encrypt_password(
                connection.password, OWNER_ROLE, admin, "scram-sha-256"
            )
            cursor.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(OWNER_ROLE), sql.Literal(verifier)
                )
            )
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
        if cursor.fetchone() is None:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)
                )
            )


def _run_initdb(
    data: Path, password_file: Path, bin_directory: Path, identity: Identity
) -> None:
    command = [
        str(bin_directory / "initdb"),
        f"--pgdata={data}",
        f"--username={ADMIN_ROLE}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    ]
    drop = identity.drops_privileges
    finished = subprocess.run(
        command,
        cwd="/",
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        user=identity.uid if drop else None,
        group=identity.gid if drop else None,
        extra_groups=identity.groups if drop else None,
        check=False,
    )
    if finished.returncode:
        raise startup_failure("initdb", data, finished.stdout)
