"""`backup-db.sh` on a real server: dump, damage, restore, compare."""

from __future__ import annotations

import hashlib
import os
import subprocess
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from app.core.database import Database
from app.models.ingest import store_bars
from tests.docker.compose_files import ROOT
from tests.models.factories import T0, add_market, add_run, make_bars

SCRIPT = ROOT / "scripts" / "db" / "backup-db.sh"
Result = subprocess.CompletedProcess[str]


def backup(tools: Path, *words: str | Path, **environ: str) -> Result:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DATABASE_", "PG"))
    }
    return subprocess.run(
        [SCRIPT, *words],
        env={**clean, "PG_BIN": str(tools), **environ},
        capture_output=True,
        text=True,
    )


def digests(url: str) -> dict[str, str]:
    """SHA-256 over the sorted rows of every table."""
    engine = sa.create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
    with engine.connect() as connection:
        names = connection.scalars(
            sa.text(
                "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
                " AND relnamespace = 'public'::regnamespace ORDER BY 1"
            )
        ).all()
        found = {}
        for name in names:
            rows = connection.scalars(sa.text(f'SELECT t::text FROM "{name}" t'))
            text = "\n".join(sorted(rows))
            found[name] = hashlib.sha256(text.encode()).hexdigest()
    engine.dispose()
    return found


@pytest.fixture
def filled_url(database: Database, database_url: str) -> str:
    """A database with bars, a corrected bar and what they refer to."""
    with database.session_scope() as session:
        run_id = add_run(session)
        market = add_market(session, run_id)
        bars = make_bars(market.id, 500)
        store_bars(session, [bars], T0)
        bars.bars["close"][7] = bars.bars["high"][7]
        store_bars(session, [bars], T0)
    return database_url


def test_a_restored_dump_holds_the_same_rows(
    filled_url: str, empty_database_url: str, postgres_tools: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bot.dump"

    dumped = backup(postgres_tools, "dump", file, DATABASE_URL=filled_url)
    assert dumped.returncode == 0, dumped.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bot.dump",
        "bot.dump.sha256",
    ]
    assert file.stat().st_mode & 0o077 == 0
    sum_of_file = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (tmp_path / "bot.dump.sha256").read_text() == f"{sum_of_file}  bot.dump\n"

    restored = backup(postgres_tools, "restore", file, DATABASE_URL=empty_database_url)
    assert restored.returncode == 0, restored.stderr
    before = digests(filled_url)
    assert digests(empty_database_url) == before
    assert before["market_data"] != before["market_data_revisions"]

    again = backup(postgres_tools, "restore", file, DATABASE_URL=empty_database_url)
    assert again.returncode == 1 and "restore into an empty one" in again.stderr


def test_a_damaged_backup_is_refused(
    database_url: str, empty_database_url: str, postgres_tools: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bot.dump"
    backup(postgres_tools, "dump", file, DATABASE_URL=database_url).check_returncode()
    assert "is whole" in backup(postgres_tools, "verify", file).stdout
    content = file.read_bytes()

    file.write_bytes(content[:-100])
    for words in (("verify", file), ("restore", file)):
        refused = backup(postgres_tools, *words, DATABASE_URL=empty_database_url)
        assert refused.returncode == 1 and "is damaged" in refused.stderr
    assert digests(empty_database_url) == {}

    # A sum that fits damaged content does not make it whole.
    short = hashlib.sha256(content[: len(content) // 2]).hexdigest()
    file.write_bytes(content[: len(content) // 2])
    (tmp_path / "bot.dump.sha256").write_text(f"{short}  bot.dump\n")
    refused = backup(postgres_tools, "verify", file)
    assert refused.returncode == 1 and "not a whole backup" in refused.stderr


def test_a_dump_that_fails_leaves_nothing_behind(
    database_url: str, postgres_tools: Path, tmp_path: Path
) -> None:
    gone = make_url(database_url).set(database="no_such_database")
    url = gone.render_as_string(hide_password=False)
    failed = backup(postgres_tools, "dump", tmp_path / "bot.dump", DATABASE_URL=url)
    assert failed.returncode == 1 and "no_such_database" in failed.stderr
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "bot.dump").write_text("mine")
    url = database_url
    failed = backup(postgres_tools, "dump", tmp_path / "bot.dump", DATABASE_URL=url)
    assert failed.returncode == 1 and "exists already" in failed.stderr
    assert (tmp_path / "bot.dump").read_text() == "mine"


def test_no_password_is_part_of_a_command_line(
    admin_url: str, postgres_tools: Path, tmp_path: Path
) -> None:
    password = "p%4 w\\n'$(x)&é"
    role = f"r_{uuid.uuid4().hex[:8]}"
    engine = sa.create_engine(admin_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        literal = "'" + password.replace("'", "''") + "'"
        connection.exec_driver_sql(
            f"CREATE ROLE {role} LOGIN PASSWORD E{literal}".replace(
                "\\", "\\\\"
            ).replace("%", "%%")
        )
        connection.exec_driver_sql(f"CREATE DATABASE {role} OWNER {role}")
    tools = _recording_tools(postgres_tools, tmp_path)
    server = make_url(admin_url)
    place = f"{server.host}:{server.port}/{role}"
    secret = tmp_path / "secret"
    secret.write_text(f"{password}\n")

    ways = [
        {"DATABASE_URL": f"postgresql+psycopg2://{role}:{quote(password)}@{place}"},
        {
            "DATABASE_URL": f"postgresql://{role}@{place}",
            "DATABASE_PASSWORD_FILE": str(secret),
        },
    ]
    for number, environ in enumerate(ways):
        result = backup(tools, "dump", tmp_path / f"{number}.dump", **environ)
        assert result.returncode == 0, result.stderr
        result = backup(tools, "restore", tmp_path / f"{number}.dump", **environ)
        assert result.returncode == 0, result.stderr

    seen = (tmp_path / "seen").read_text()
    assert "--dbname=postgresql://" in seen
    assert password not in seen and quote(password) not in seen
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


@pytest.mark.parametrize(
    ("words", "environ", "code", "text"),
    [
        (["dump"], {}, 2, "usage: backup-db.sh dump FILE"),
        (["burn", "x"], {}, 2, "unknown command burn"),
        (["dump", "x"], {}, 78, "set DATABASE_URL"),
        (["dump", "x"], {"DATABASE_URL": "mysql://a"}, 78, "does not start with"),
        (
            ["dump", "x"],
            {"DATABASE_URL": "postgresql://a@b/c?password=CANARY"},
            78,
            "before the @",
        ),
        (["dump", "x"], {"DATABASE_URL_FILE": "/no/f"}, 78, "cannot read /no/f"),
        (
            ["dump", "x"],
            {"DATABASE_PASSWORD": "CANARY", "DATABASE_PASSWORD_FILE": "/no/f"},
            78,
            "are both set",
        ),
        (["dump", "x"], {"PG_BIN": "/nowhere"}, 78, "no pg_dump in /nowhere"),
        (["dump", "/no/folder/x"], {}, 1, "no folder /no/folder"),
        (["verify", "/no/file"], {}, 1, "no backup /no/file"),
    ],
)
def test_a_wrong_call_is_one_line_and_an_exit_code(
    words: list[str],
    environ: dict[str, str],
    code: int,
    text: str,
    postgres_tools: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = backup(postgres_tools, *words, **environ)
    assert result.returncode == code
    assert text in result.stderr and "CANARY" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def _recording_tools(tools: Path, folder: Path) -> Path:
    """Tools that write their arguments down before they do their work."""
    recording = folder / "bin"
    recording.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        tool = recording / name
        tool.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{folder}/seen"\n'
            f'exec "{tools}/{name}" "$@"\n'
        )
        tool.chmod(0o755)
    return recording
