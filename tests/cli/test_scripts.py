"""The utility scripts, run as a newcomer runs them: no market, no database at hand."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.domain.universe import RejectionReason
from app.models import (
    ConfigurationHistory,
    Cryptocurrency,
    MarketData,
    UniverseMembership,
)
from tests.cli.commands import Commands, assert_refused
from tests.models.factories import T0, add_market, add_run

FETCH = "fetch_market_data"
LIST = "list_filtered_markets"
SINCE = datetime(2025, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    return Commands(tmp_path, DATABASE_URL=database_url)


def hours(commands: Commands, since: int, count: int, *words: str) -> list[str]:
    """Fetch `count` hourly bars from `since` hours after 2025-01-01; their times."""
    outcome = commands.script(
        FETCH,
        "BTC/USDT",
        "--since",
        (SINCE + timedelta(hours=since)).isoformat(),
        "--limit",
        str(count),
        "--json",
        *words,
    )
    assert outcome.code == 0, outcome.err
    return [row["open_at"] for row in json.loads(outcome.out)]


def test_bars_are_fetched_and_nothing_is_stored(
    commands: Commands, database: Database
) -> None:
    times = hours(commands, 0, 3)
    assert times == [(SINCE + timedelta(hours=n)).isoformat() for n in range(3)]
    with database.session_scope() as session:
        assert session.scalar(select(func.count()).select_from(MarketData)) == 0


def test_bars_are_stored_for_a_run(commands: Commands, database: Database) -> None:
    hours(commands, 0, 3, "--store")
    with database.session_scope() as session:
        market = Cryptocurrency.get_by_symbol(session, "replay", "BTC/USDT")
        bars = MarketData.get_latest(session, market.id, Timeframe.H1, 9)
        assert [bar.timestamp for bar in bars] == [
            SINCE + timedelta(hours=n) for n in range(3)
        ]
        run = session.scalars(select(ConfigurationHistory)).one()
        assert run.process == FETCH and run.ended_at is not None
        assert market.run_id == run.run_id


def test_wrong_arguments_are_named(commands: Commands) -> None:
    outcome = commands.script(FETCH, "BTC/USDT", "--timeframe", "7h")
    assert_refused(outcome, 2, "'7h' is not one of 1m, 3m, 5m")
    outcome = commands.script(FETCH, "BTC/USDT", "--since", "2031-01-01")
    assert_refused(outcome, 2, "2031-01-01", "at the market")


def test_an_unknown_symbol_names_the_nearest(commands: Commands) -> None:
    outcome = commands.script(FETCH, "BTC/USTD")
    assert_refused(outcome, 2, "'BTC/USTD'", "nearest: BTC/USDT")


def test_an_exchange_that_does_not_answer(commands: Commands) -> None:
    outcome = commands.script(
        FETCH, "BTC/USDT", CRYPTO_BOT__EXCHANGE__REPLAY_URL="http://127.0.0.1:1"
    )
    assert_refused(outcome, 75, "http://127.0.0.1:1")


def test_a_run_that_failed_has_an_end(commands: Commands, database: Database) -> None:
    outcome = commands.script(FETCH, "BTC/USTD", "--store")
    assert_refused(outcome, 2, "'BTC/USTD'")
    with database.session_scope() as session:
        run = session.scalars(select(ConfigurationHistory)).one()
        assert run.ended_at is not None


def test_a_table_shows_the_newest_bars(commands: Commands) -> None:
    words = ["BTC/USDT", "--since", SINCE.isoformat(), "--limit", "40"]
    outcome = commands.script(FETCH, *words)
    assert "BTC/USDT 1h: 40 closed bars" in outcome.out
    assert "2025-01-01 09:00" not in outcome.out
    assert outcome.out.count("2025-01-0") == 30
    assert "2025-01-02 15:00" in outcome.out


def test_storing_needs_a_migrated_database(
    commands: Commands, empty_database_url: str
) -> None:
    outcome = commands.script(
        FETCH, "BTC/USDT", "--store", DATABASE_URL=empty_database_url
    )
    assert_refused(outcome, 78, "crypto-bot migrate")


def test_live_verdicts_name_each_rule_that_rejected(commands: Commands) -> None:
    outcome = commands.script(LIST, "--live", "--json")
    assert outcome.code == 0, outcome.err
    verdicts = {row["symbol"]: row for row in json.loads(outcome.out)}
    assert verdicts["BTC/USDT"]["admitted"]
    assert verdicts["BTC/EUR"]["reasons"] == ["quote_currency"]
    assert verdicts["USDC/USDT"]["figures"]["volatility_24h"] < 0.002


def test_stored_verdicts_are_listed_and_chosen(
    commands: Commands, database: Database
) -> None:
    assert "judge now with --live" in commands.script(LIST).err
    with database.session_scope() as session:
        run_id = add_run(session)
        for symbol, reasons in (
            ("BTC/USDT", []),
            ("DULL/USDT", [RejectionReason.VOLUME_TOO_LOW]),
        ):
            market = add_market(session, run_id, symbol)
            session.add(_membership(market, reasons, run_id))
    table = commands.script(LIST)
    assert table.code == 0 and "1 of 2 markets admitted" in table.out
    assert "rejected: volume_too_low" in table.out
    assert "DULL" not in commands.script(LIST, "--admitted").out
    assert "BTC" not in commands.script(LIST, "--rejected").out


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (("--png", "x.txt"), "--png x.txt: the name must end with .png"),
        (("--html", "nowhere/x.html"), "there is no folder nowhere"),
    ],
)
def test_a_chart_that_cannot_be_written_is_refused_first(
    commands: Commands, words: tuple[str, ...], phrase: str
) -> None:
    # There is no such file of bars either: nobody got so far as to look.
    outcome = commands.script("analyze_market", "--csv", "none.csv", *words)
    assert_refused(outcome, 2, phrase)
    assert outcome.err.count("\n") == 1 and not outcome.out


def _membership(
    market: Cryptocurrency, reasons: list[RejectionReason], run_id: UUID
) -> UniverseMembership:
    return UniverseMembership(
        cryptocurrency_id=market.id,
        admitted=not reasons,
        reasons=reasons,
        figures={"quote_volume_24h": 5e5},
        valid_from=T0,
        run_id=run_id,
    )
