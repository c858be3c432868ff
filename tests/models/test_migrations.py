"""The migrations, on real databases with rows in them."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from app.core.database import Database
from app.core.exceptions import DatabaseUnavailable
from app.models import BaseModel, schema
from app.models.partitions import ensure_partitions
from tests.models.every_table import fill_every_table
from tests.models.factories import T0

ROOT = Path(__file__).resolve().parents[2]
TABLES = sorted(BaseModel.metadata.tables)
# Made from columns of another table, and put back there by the downgrade.
MOVED = {"market_data_indicators", "snapshot_layouts"}
REVISIONS = [
    script.revision
    for script in ScriptDirectory.from_config(
        schema.alembic_config()
    ).walk_revisions()  # newest first
]


def count_rows(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        here = set(sa.inspect(connection).get_table_names())
        return {
            table: connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0
            for table in TABLES
            if table in here
        }


def made_so_far(database: Database) -> tuple[int, set[str]]:
    """Number of columns of tables and views; functions and comments as they are."""
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = :s"
    texts = """
        SELECT prosrc FROM pg_proc WHERE pronamespace = CAST(:s AS regnamespace)
        UNION SELECT concat_ws(' ', relname, attname, col_description(c.oid, attnum))
        FROM pg_class AS c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
        WHERE relnamespace = CAST(:s AS regnamespace) AND NOT attisdropped
    """
    with database.engine.connect() as connection:
        here = {"s": "public"}
        count = connection.scalar(sa.text(columns), here) or 0
        return count, set(connection.scalars(sa.text(texts), here))


def test_each_revision_goes_down_and_up_with_rows_in_the_tables(
    empty_database: Database, empty_database_url: str
) -> None:
    schema.upgrade(empty_database_url)
    with empty_database.session_scope() as session:
        fill_every_table(session)
    full = count_rows(empty_database)
    assert sorted(full) == TABLES and all(full.values())
    for revision, before in zip(REVISIONS, [*REVISIONS[1:], "base"], strict=True):
        schema.downgrade(empty_database_url, before)
        kept, lower = count_rows(empty_database), made_so_far(empty_database)
        assert kept == {table: full[table] for table in kept}
        schema.upgrade(empty_database_url, revision=revision)
        again, higher = count_rows(empty_database), made_so_far(empty_database)
        assert higher[0] > lower[0] or higher[1] - lower[1], "made nothing"
        made = {t: full[t] if t in MOVED else 0 for t in again if t not in kept}
        assert again == kept | made
        schema.downgrade(empty_database_url, before)
        assert made_so_far(empty_database) == lower, "left something"
    schema.upgrade(empty_database_url)
    assert count_rows(empty_database) == dict.fromkeys(TABLES, 0)


def test_the_last_downgrade_leaves_nothing(
    empty_database: Database, empty_database_url: str
) -> None:
    schema.upgrade(empty_database_url)
    schema.downgrade(empty_database_url, "base")
    with empty_database.engine.connect() as connection:
        inspector = sa.inspect(connection)
        assert inspector.get_table_names() == ["alembic_version"]
        assert inspector.get_view_names() == []
        assert inspector.get_enums() == []  # type: ignore[attr-defined]
        functions = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'market_data%'"
        assert connection.scalar(sa.text(functions)) == 0


def test_models_and_migrations_agree_with_partitions_present(
    database: Database, database_url: str
) -> None:
    with database.session_scope() as session:
        for table in ("market_data", "market_snapshots"):
            ensure_partitions(session, table, T0, T0)
    command.check(schema.alembic_config(database_url))


DEFINITIONS = sa.text("""
    SELECT conname AS name, pg_get_constraintdef(oid) AS definition
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid)
    FROM pg_partitioned_table
    """)


def test_migrations_make_exactly_what_the_models_declare(
    database: Database, empty_database: Database
) -> None:
    # `alembic check` compares neither CHECKs nor partition keys.
    BaseModel.metadata.create_all(empty_database.engine)
    answers = []
    for each in (database, empty_database):
        with each.engine.connect() as connection:
            rows = {
                (row.name, row.definition) for row in connection.execute(DEFINITIONS)
            }
        answers.append({row for row in rows if "alembic_version" not in row[1]})
    migrated, declared = answers
    assert {row for row in migrated if "alembic_version" not in row[0]} == declared


def test_migrations_make_the_enums_the_models_declare(database: Database) -> None:
    declared = {
        kind.name: list(kind.enums)
        for kind in BaseModel.type_annotation_map.values()
        if isinstance(kind, sa.Enum)
    }
    with database.engine.connect() as connection:
        enums = sa.inspect(connection).get_enums()  # type: ignore[attr-defined]
    assert {enum["name"]: enum["labels"] for enum in enums} == declared


def test_every_table_column_and_constraint_is_named_and_described() -> None:
    for table in BaseModel.metadata.tables.values():
        assert table.comment, table.name
        assert [c.name for c in table.columns if not c.comment] == []
        assert [c for c in table.constraints if not c.name] == []


def test_offline_sql_needs_no_server() -> None:
    sql = schema.upgrade_sql()
    assert "CREATE TABLE market_data (" in sql
    assert "CREATE VIEW market_data_history" in sql
    assert sql.count("SET LOCAL lock_timeout") == len(REVISIONS)
    assert "CREATE TABLE market_data (" not in schema.upgrade_sql("0002:head")


def test_offline_sql_makes_the_same_database(empty_database: Database) -> None:
    with empty_database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.connection.cursor().execute(schema.upgrade_sql())
    with empty_database.session_scope() as session:
        fill_every_table(session)
    empty_database.check_schema(schema.head_revision())


def test_two_migrators_at_once_wait_for_each_other(
    empty_database: Database, empty_database_url: str
) -> None:
    failures: list[BaseException] = []

    def migrate() -> None:
        # alembic's commands are not thread-safe, so a process, as in real life.
        done = subprocess.run(
            [sys.executable, "-m", "alembic", "-x", f"url={empty_database_url}"]
            + ["upgrade", "head"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            failures.append(RuntimeError(done.stderr))

    threads = [threading.Thread(target=migrate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert schema.current_revision(empty_database.engine) == schema.head_revision()


def test_an_unreachable_server_is_said_so() -> None:
    with pytest.raises(DatabaseUnavailable, match="refused"):
        schema.upgrade("postgresql://nobody@127.0.0.1:1/none")
