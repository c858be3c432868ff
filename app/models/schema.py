"""Bringing a database to the revision this code needs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

from app.core.database_url import describe, parse_url
from app.core.database_errors import MIGRATE_HINT, translated_errors
from app.core.exceptions import ConfigurationError, SchemaMismatch

_ROOT = Path(__file__).resolve().parents[2]


def alembic_config(
    url: str = "", password: str = "", output: io.StringIO | None = None
) -> Config:
    """alembic's configuration for `url` (empty: env.py finds it).

    `password` counts where the URL has none; SQL of an offline run goes to `output`.
    Raises ConfigurationError where the program was installed without its migrations.
    """
    if not (_ROOT / "alembic" / "env.py").is_file():
        raise ConfigurationError(
            f"no migrations at {_ROOT / 'alembic'}: run from the project's folder"
        )
    config = Config(str(_ROOT / "alembic.ini"), output_buffer=output)
    config.attributes["url"] = url
    config.attributes["password"] = password
    return config


def upgrade(url: str, password: str = "", revision: str = "head") -> None:
    """Run the migrations up to `revision`; nothing where they are all applied.

    Raises what `Database.session_scope` raises, and SchemaMismatch for a database
    that newer code migrated.
    """
    with translated_errors(_target(url)), _unknown_revisions(_target(url)):
        command.upgrade(alembic_config(url, password), revision)


def downgrade(url: str, revision: str, password: str = "") -> None:
    """Undo the migrations after `revision` (`base`: all of them, with their data)."""
    with translated_errors(_target(url)):
        command.downgrade(alembic_config(url, password), revision)


def create_revision(message: str, url: str = "") -> Path:
    """Write the migration that the models need and the database lacks; its file.

    Raises ConfigurationError where the database is not at the newest revision.
    """
    # Numbered, so that a listing shows their order.
    number = f"{int(head_revision()) + 1:04d}"
    try:
        with translated_errors(_target(url)):
            written = command.revision(
                alembic_config(url), message, autogenerate=True, rev_id=number
            )
    except CommandError as error:
        raise SchemaMismatch(
            f"{str(error.args[0]).rstrip('.')}: {MIGRATE_HINT}"
        ) from error
    assert isinstance(written, Script)
    return Path(written.path)


def upgrade_sql(revisions: str = "head") -> str:
    """The SQL `upgrade` would run; `revisions` may be `FROM:TO`. Needs no server."""
    output = io.StringIO()
    # Only the dialect of this URL is used; an offline run never connects.
    config = alembic_config("postgresql://", output=output)
    with _unknown_revisions("the database"):
        command.upgrade(config, revisions, sql=True)
    return output.getvalue()


def head_revision() -> str:
    """The revision this code needs."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        raise ConfigurationError(f"no migrations at {_ROOT / 'alembic' / 'versions'}")
    return head


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None before the first migration."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _unknown_revisions(target: str) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise SchemaMismatch(
            f"{target} is at a revision this code does not have ({error}); run the "
            "code that belongs to this database"
        ) from error


def _target(url: str) -> str:
    return describe(parse_url(url)) if url else "the configured database"
