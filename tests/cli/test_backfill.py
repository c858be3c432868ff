"""`crypto-bot backfill` as a user runs it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from app.core.database import Database
from app.domain.timeframe import Timeframe
from tests.cli.commands import Commands, assert_refused
from tests.exchange.archives.packing import pack_klines, write_zip

H1 = Timeframe.H1
START = datetime(2024, 11, 1, tzinfo=timezone.utc)
CELLS = ("10.5", "12.25", "9.75", "11.0", "3.5")


@pytest.fixture
def commands(tmp_path: Path, database_url: str, database: Database) -> Commands:
    return Commands(tmp_path, DATABASE_URL=database_url)


def run(commands: Commands, *words: str) -> list[dict[str, Any]]:
    outcome = commands.crypto_bot("backfill", *words, "--json")
    assert outcome.code == 0, outcome.err
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def test_archives_then_the_market_fill_a_series_once(
    commands: Commands, tmp_path: Path
) -> None:
    hours = H1.opens(START, START + timedelta(days=30))
    pack_klines(tmp_path, "BTCUSDT", H1, [(at, CELLS) for at in hours])
    words = ["BTC/USDT", "--since", "2024-11-01", "--until", "2024-12-03"]
    words += ["--archives", str(tmp_path)]
    (first,) = run(commands, *words)
    assert (first["files_read"], first["inserted"]) == (1, 32 * 24)
    assert first["pages_fetched"] == 1 and first["slots_missing"] == 0
    assert first["watermark_at"] == "2024-12-03T00:00:00+00:00"
    (again,) = run(commands, *words)
    assert (again["inserted"], again["revised"], again["bars"]) == (0, 0, 32 * 24)


def test_recordings_of_a_folder_need_no_names(
    commands: Commands, tmp_path: Path
) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    lines = [
        f"{(START + timedelta(days=number)).isoformat()},{','.join(CELLS)}"
        for number in (0, 1, 3)
    ]
    header = "open_time,open,high,low,close,volume"
    (folder / "ETHBTC-1d.csv").write_text("\n".join([header, *lines]) + "\n")
    outcome = commands.crypto_bot("backfill", "--from-folder", str(folder))
    assert outcome.code == 0, outcome.err
    assert "ETH/BTC 1d: 3 new, 0 corrected" in outcome.out
    assert "3 bars stored, 1 slot missing" in outcome.out


def test_bars_are_compared_with_archived_trades(
    commands: Commands, tmp_path: Path
) -> None:
    month = [(at, CELLS) for at in H1.opens(START, START + timedelta(days=30))]
    pack_klines(tmp_path, "BTCUSDT", H1, month)
    ms = round(START.timestamp() * 1000)
    # Of each hour but the third the trades make the very bar.
    prices = [(10.5, 1.0), (12.25, 1.0), (9.75, 1.0), (11.0, 0.5)]
    trades = [
        f"{4 * hour + number},{price},{quantity},1,1,"
        f"{ms + hour * 3_600_000 + number * 1000},True,True"
        for hour in range(6)
        for number, (price, quantity) in enumerate(prices)
        if (hour, number) != (2, 1)
    ]
    name = "BTCUSDT-aggTrades-2024-11.zip"
    folder = tmp_path / "data/spot/monthly/aggTrades/BTCUSDT"
    write_zip(folder / name, trades)
    words = ["BTC/USDT", "--since", "2024-11-01", "--until", "2024-12-01", "--no-rest"]
    (report,) = run(commands, *words, "--archives", str(tmp_path), "--trades")
    assert report["trade_files_read"] == 1 and report["bars_compared"] == 5
    assert report["findings"] > 0 and report["revised"] == 0


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        ([], "name at least one market"),
        (["BTC/USDT"], "--since is needed"),
        (["BTC/USDT", "--since", "yesterday"], "--since must be ISO 8601"),
        (
            ["BTC/USDT", "--since", "2024-12-01", "--until", "2024-12-01"],
            "--since 2024-12-01 must be before --until 2024-12-01",
        ),
        (["--from-folder", "here", "--archives", "there"], "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(
    commands: Commands, words: list[str], phrase: str
) -> None:
    outcome = commands.crypto_bot("backfill", *words)
    assert outcome.code == 2 and phrase in outcome.err


def test_a_folder_that_is_not_there_is_named(commands: Commands) -> None:
    words = ["BTC/USDT", "--since", "2024-11-01", "--archives", "nowhere", "--no-rest"]
    assert_refused(commands.crypto_bot("backfill", *words), 2, "nowhere")


def test_an_archive_without_anything_of_its_layout_is_told(
    commands: Commands, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    words = ["BTC/USDT", "--since", "2024-11-01", "--no-rest", "--archives", "empty"]
    told = commands.crypto_bot("backfill", *words)
    assert_refused(told, 2, "empty holds nothing in the layout")
    # Another market's files are the layout, but nothing of what was asked for.
    pack_klines(folder, "ETHUSDT", H1, [(START, CELLS)])
    told = commands.crypto_bot("backfill", *words)
    assert_refused(told, 1, "empty holds no file of BTCUSDT 1h")


def test_a_file_that_is_refused_makes_the_run_a_failed_one(
    commands: Commands, tmp_path: Path
) -> None:
    pack_klines(tmp_path, "BTCUSDT", H1, [(START, CELLS)])
    for checksum in tmp_path.rglob("*.CHECKSUM"):
        checksum.write_text(f"{'0' * 64}  {checksum.stem}\n")
    words = ["--since", "2024-11-01", "--until", "2024-12-01", "--no-rest"]
    told = commands.crypto_bot(
        "backfill", "BTC/USDT", *words, "--archives", str(tmp_path)
    )
    assert told.code == 1 and "refused: " in told.err, told.err


def test_a_beginning_in_the_markets_future_is_refused(commands: Commands) -> None:
    words = ["BTC/USDT", "--since", "2999-01-01"]
    told = commands.crypto_bot("backfill", *words)
    assert_refused(told, 2, "--since 2999-01-01 00:00 must be before now")


def test_an_empty_recording_is_no_file_read(commands: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "ETHBTC-1d.csv").touch()
    told = commands.crypto_bot("backfill", "--from-folder", "recorded")
    assert_refused(told, 1, "ETHBTC-1d.csv is empty")
    assert "0 files" in told.out


def test_a_recording_has_a_database_of_its_own(
    commands: Commands, tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing")
    outcome = commands.crypto_bot(
        "backfill", "BTC/USDT", "--since", "2024-11-01", "--recording", missing
    )
    assert_refused(outcome, 78, "--recording", "is not a folder")


def test_an_unknown_market_fails_alone(commands: Commands) -> None:
    words = ["NOPE/USDT", "BTC/USDT", "--since", "2025-01-01", "--until", "2025-01-02"]
    outcome = commands.crypto_bot("backfill", *words)
    assert outcome.code == 2 and "NOPE/USDT" in outcome.err
    assert "BTC/USDT 1h: 24 new" in outcome.out
