"""Whatever is wrong: one clear message, the documented exit code, no traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from app.cli.main import cli
from app.core.database import Database
from tests.cli.commands import CANARY, Commands, assert_refused


@pytest.mark.parametrize(
    ("url", "code", "phrases"),
    [
        (f"mysql://u:{CANARY}@h/x", 78, ["unknown scheme 'mysql'", "postgresql://"]),
        (f"postgresql://u:{CANARY}@h:port/x", 78, ["cannot be read"]),
        (f"postgresql://u:{CANARY}@127.0.0.1:1/x", 69, ["127.0.0.1:1", "refused"]),
    ],
)
def test_an_unusable_database_url(
    commands: Commands, url: str, code: int, phrases: list[str]
) -> None:
    outcome = commands.crypto_bot("status", DATABASE_URL=url)
    assert_refused(outcome, code, "crypto-bot: ", *phrases)


def test_a_wrong_password(commands: Commands, database_url: str) -> None:
    url = make_url(database_url).set(password=CANARY)
    outcome = commands.crypto_bot(
        "status", DATABASE_URL=url.render_as_string(hide_password=False)
    )
    assert_refused(outcome, 78, "password", "DATABASE_PASSWORD")


def test_a_database_that_does_not_exist(commands: Commands, database_url: str) -> None:
    url = make_url(database_url).set(database="nobody_made_this")
    outcome = commands.crypto_bot(
        "status", DATABASE_URL=url.render_as_string(hide_password=False)
    )
    assert_refused(outcome, 78, "nobody_made_this", "does not exist")


def test_a_missing_migration(commands: Commands, empty_database_url: str) -> None:
    outcome = commands.crypto_bot(
        "process", "collector", DATABASE_URL=empty_database_url
    )
    assert_refused(outcome, 78, "no tables", "crypto-bot migrate")


def test_a_database_ahead_of_the_code(
    commands: Commands, database: Database, database_url: str
) -> None:
    with database.session_scope() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    outcome = commands.crypto_bot("process", "scanner", DATABASE_URL=database_url)
    assert_refused(outcome, 78, "9999")
    outcome = commands.crypto_bot("migrate", DATABASE_URL=database_url)
    assert_refused(outcome, 78, "9999")


@pytest.mark.parametrize("words", [("up", "--plain"), ("replay-market",)])
def test_the_replay_port_is_in_use(commands: Commands, words: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", commands.port))
        taken.listen()
        outcome = commands.crypto_bot(*words)
    assert_refused(outcome, 78, f"127.0.0.1:{commands.port}", "in use", "replay.port")
    # Told before anything is started.
    assert not list(commands.folder.glob("state/*/postgres"))


def test_the_replay_market_is_unreachable(
    commands: Commands, database_url: str
) -> None:
    outcome = commands.crypto_bot(
        "process",
        "collector",
        DATABASE_URL=database_url,
        CRYPTO_BOT__EXCHANGE__REPLAY_URL="http://127.0.0.1:1",
    )
    assert_refused(outcome, 75, "http://127.0.0.1:1", "refused")


def test_an_unknown_exchange(commands: Commands, database_url: str) -> None:
    outcome = commands.crypto_bot(
        "process",
        "collector",
        DATABASE_URL=database_url,
        CRYPTO_BOT__EXCHANGE__ID="binanse",
    )
    assert_refused(outcome, 78, "exchange.id", "'binanse'", "did you mean binance")


def test_a_state_folder_that_cannot_be_made(commands: Commands) -> None:
    outcome = commands.crypto_bot(
        "up", "--seconds", "1",
        CRYPTO_BOT__APPLICATION__STATE_DIRECTORY="/proc/nowhere",
    )  # fmt: skip
    assert_refused(outcome, 78, "application.state_directory", "/proc/nowhere")


def test_an_unknown_process(commands: Commands) -> None:
    outcome = commands.crypto_bot("process", "colector")
    assert_refused(outcome, 2, "colector", "'collector'", "'trade_manager'")


@pytest.mark.parametrize(
    ("content", "phrases"),
    [
        ("exchange: [unclosed\n", ["line 2"]),
        ("exchange:\n  idd: replay\n", ["exchange.idd", "did you mean exchange.id"]),
        (None, ["no such configuration file"]),
    ],
)
def test_an_unusable_configuration_file(
    commands: Commands, content: str | None, phrases: list[str]
) -> None:
    path = commands.folder / "mine.yaml"
    if content is not None:
        path.write_text(content)
    outcome = commands.crypto_bot("status", "--config", str(path))
    assert_refused(outcome, 78, "mine.yaml", *phrases)


@pytest.mark.parametrize(
    ("files", "phrase"),
    [
        (None, "is not a folder"),
        ({"BTCUSDT-1m.csv": "a,b\n1,2\n"}, "column open_time is missing"),
    ],
)
def test_an_unusable_recording(
    commands: Commands, files: dict[str, str] | None, phrase: str
) -> None:
    folder = commands.folder / "bars"
    _write(folder, files)
    outcome = commands.crypto_bot("replay-market", "--recording", str(folder))
    assert_refused(outcome, 78, str(folder), phrase)


@pytest.mark.parametrize("command", ["up", "status", "coverage", "database-url"])
def test_a_recording_that_is_not_there(commands: Commands, command: str) -> None:
    outcome = commands.crypto_bot(command, "--recording", "nowhere")
    assert_refused(outcome, 78, "--recording: nowhere is not a folder")
    # Told before anything is started.
    assert not list(commands.folder.glob("state"))


@pytest.mark.parametrize("option", ["--seconds", "--speed"])
@pytest.mark.parametrize("value", ["-5", "0", "nan", "inf"])
def test_up_takes_positive_numbers_only(option: str, value: str) -> None:
    outcome = CliRunner().invoke(cli, ["up", option, value], env={"COLUMNS": "200"})
    assert outcome.exit_code == 2
    assert f"'{option}': must be a finite number above 0, got {value}" in outcome.output


def test_up_says_what_a_child_gave_up_for(commands: Commands) -> None:
    folder = commands.folder / "bars"
    _write(folder, {})
    outcome = commands.crypto_bot("up", "--plain", "--recording", str(folder))
    assert_refused(outcome, 78, "replay-market gave up", "holds no SYMBOL-TIMEFRAME")
    assert not list(commands.folder.glob("state/*/postgres"))


def _write(folder: Path, files: dict[str, str] | None) -> None:
    if files is None:
        return
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
