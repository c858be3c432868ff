"""Where alembic's commands find the database and what they may compare.

The URL is, first found: `config.attributes["url"]` (programs and tests), `-x url=`,
the configuration (`DATABASE_URL`, `DATABASE_URL_FILE`, `database.url`), and without
any of them the embedded server, started for the command if nobody runs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import Connection, NullPool, create_engine, text

from alembic import context
from app.config.loader import ConfigLoader
from app.core.database_url import parse_url
from app.core.market_identity import state_directory
from app.core.postgres import database_access
from app.models import BaseModel
from app.models.column_types import EnumText, UtcDateTime

# Makes a second migrator wait for the first instead of failing half-way.
_MIGRATION_LOCK = "SELECT pg_advisory_lock(hashtext('crypto-bot migrations'))"
_PARTITIONS = text("SELECT relname FROM pg_class WHERE relispartition")


@contextmanager
def database_url() -> Iterator[tuple[str, str]]:
    """URL, and the password that goes with one that holds none."""
    attributes = context.config.attributes
    given = attributes.get("url") or context.get_x_argument(True).get("url")
    if given:
        yield str(given), attributes.get("password", "")
        return
    settings = ConfigLoader(None, os.environ).load()
    password = settings.database.password.get_secret_value()
    state = state_directory(settings)
    with database_access(settings.database, state) as access:
        yield access.url, password


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Write our column types as the plain ones they are: migrations outlive models."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.TIMESTAMP(timezone=True)"
    if kind == "type" and isinstance(item, EnumText):
        return "sa.Text()"
    return False


def configure(**options: Any) -> None:
    context.configure(
        target_metadata=BaseModel.metadata,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
        # A migration that fails leaves those before it applied.
        transaction_per_migration=True,
        **options,
    )


def run_offline() -> None:
    configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online(connection: Connection) -> None:
    connection.execute(text(_MIGRATION_LOCK))
    partitions = set(connection.scalars(_PARTITIONS))
    connection.commit()

    def include_name(name: str | None, kind: str, parents: Any) -> bool:
        # Partitions come and go with time; autogenerate would drop them all.
        return kind != "table" or name not in partitions

    configure(connection=connection, include_name=include_name)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    if context.is_offline_mode():
        run_offline()
        return
    with database_url() as (url, password):
        engine = create_engine(
            parse_url(url, password), poolclass=NullPool, hide_parameters=True
        )
        with engine.connect() as connection:
            run_online(connection)
        engine.dispose()


main()
