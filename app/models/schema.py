"""Bringing a database to the revision this code needs."""

from __future__ import annotations

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from app.core.exceptions import ConfigurationError

_ROOT = Path(__file__).resolve().parents[2]


def alembic_config(url: str = "", output: io.StringIO | None = None) -> Config:
    """alembic's configuration for `url` (empty: env.py finds it).

    SQL of an offline run goes to `output`. Raises ConfigurationError where the
    program was installed without its migrations.
    """
    if not (_ROOT / "alembic" / "env.py").is_file():
        raise ConfigurationError(
            f"no migrations at {_ROOT / 'alembic'}: run from the project's folder"
        )
    config = Config(str(_ROOT / "alembic.ini"), output_buffer=output)
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`; nothing where they are all applied."""
    command.upgrade(alembic_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Undo the migrations after `revision` (`base`: all of them, with their data)."""
    command.downgrade(alembic_config(url), revision)


def upgrade_sql(revisions: str = "head") -> str:
    """The SQL `upgrade` would run; `revisions` may be `FROM:TO`. Needs no server."""
    output = io.StringIO()
    # Only the dialect of this URL is used; an offline run never connects.
    command.upgrade(alembic_config("postgresql://", output), revisions, sql=True)
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
