"""`crypto-bot quarantine` and `crypto-bot check`, as a user runs them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from app.cli.main import cli
from app.core.database import Database
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.rejected import reject
from app.models import MarketData
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from app.services.quarantine.keeping import keep_rejected
from tests.cli.commands import Commands, assert_refused
from tests.models.factories import T0, add_market, add_run, make_bars

MINUTE = timedelta(minutes=1)


def seed(database: Database) -> None:
    """Five one-minute bars, the five-minute bar of them, and two refused items."""
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        ledger = Ledger(run)
        for frame, count in ((Timeframe.M1, 5), (Timeframe.M5, 1)):
            bars = make_bars(key, count, T0, timeframe=frame).bars
            bars["volume"] = 1.0
            if count == 5:
                bars["close"][2] = 300.0
            end = T0 + 5 * MINUTE
            slices = [SeriesSlice(key, frame, bars, T0, end, counts_as_answer=True)]
            ledger.store(session, slices, end)
        rule = RejectionRule.PRICE_NOT_FINITE
        raw = [1, "[red]NaN[/red]"]
        items = [
            reject("BTC/USDT", "candle", rule, raw, timeframe=Timeframe.M1),
            reject("", "reply", RejectionRule.REPLY_UNREADABLE, "<html>"),
        ]
        keep_rejected(session, "replay", items, T0, run)


def test_refused_items_are_listed_filtered_and_shown(
    commands: Commands, database: Database, database_url: str
) -> None:
    seed(database)
    here = {"DATABASE_URL": database_url}
    rows = json.loads(
        commands.crypto_bot(
            "quarantine", "list", "--rule", "price_not_finite", "--symbol", "BTC/USDT",
            "--since", "2025-01-01", "--unresolved", "--json", **here,
        ).out
    )  # fmt: skip
    assert [row["raw"] for row in rows] == ['[1, "[red]NaN[/red]"]']
    shown = commands.crypto_bot("quarantine", "show", rows[0]["id"][:13], **here)
    assert shown.code == 0 and '[1, "[red]NaN[/red]"]' in shown.out
    assert "prices must be finite numbers" in shown.out
    missing = commands.crypto_bot("quarantine", "show", "zzz", **here)
    assert_refused(missing, 2, "no refused item")


def test_the_list_is_a_table_for_people(
    commands: Commands, database: Database, database_url: str
) -> None:
    seed(database)
    listed = commands.crypto_bot("quarantine", "list", DATABASE_URL=database_url)
    assert listed.code == 0, listed.err
    assert "price_not_finite" in listed.out and "reply_unreadable" in listed.out


def test_what_nothing_matches_is_not_called_sound(
    commands: Commands, database: Database, database_url: str
) -> None:
    seed(database)
    here = {"DATABASE_URL": database_url}
    listed = commands.crypto_bot("quarantine", "list", "--since", "2099-01-01", **here)
    assert "Nothing that was refused matches." in listed.out
    for words in (["--since", "2099-01-01"], ["--timeframe", "1d"]):
        checked = commands.crypto_bot("check", *words, **here)
        assert_refused(checked, 2, f"no stored bars match {words[1]}")


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["quarantine", "list", "--since", "yesterday"], "ISO 8601"),
        (["quarantine", "list", "--rule", "nonsense"], "nonsense"),
        (["quarantine", "list", "--limit", "0"], "limit"),
        (["quarantine", "retry"], "--all"),
        (["quarantine", "retry", "abc", "--all"], "--all"),
        (["quarantine", "retry", "abc", ""], "give the id"),
        (["quarantine", "show", ""], "give the id"),
        (["check", "--timeframe", "7m"], "7m"),
        (["check", "--since", "31.12.2024"], "ISO 8601"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words: list[str], phrase: str) -> None:
    done = CliRunner().invoke(cli, words, env={"COLUMNS": "200"})
    assert done.exit_code == 2 and phrase in done.output


def test_check_prints_what_it_found_and_changes_no_bar(
    commands: Commands, database: Database, database_url: str
) -> None:
    seed(database)
    first = commands.crypto_bot("check", "--json", DATABASE_URL=database_url)
    assert first.code == 0, first.err
    report = json.loads(first.out)
    frames = {row["timeframe"]: row for row in report["series"]}
    assert frames["1m"]["findings"] == {"close_outside_range": 1}
    assert frames["5m"]["compared"] == 1 and frames["5m"]["compared_with"] == "1m"
    assert frames["5m"]["findings"]["aggregate_volume"] == 1
    assert report["total"]["new"] == sum(report["total"]["findings"].values())
    again = commands.crypto_bot(
        "check", "--symbol", "BTC/USDT", "--timeframe", "1m", DATABASE_URL=database_url
    )
    assert "5 bars judged" in again.out and "0 of them new" in again.out
    with database.session_scope() as session:
        (bar,) = MarketData.get_range(
            session, 1, Timeframe.M1, T0 + 2 * MINUTE, T0 + 3 * MINUTE
        )
        assert bar.close == 300.0


def test_a_market_that_is_gone_does_not_end_the_comparison_with_trades(
    commands: Commands, database: Database, database_url: str
) -> None:
    seed(database)
    with database.session_scope() as session:
        session.execute(text("UPDATE cryptocurrencies SET symbol = 'GONE/USDT'"))
    outcome = commands.crypto_bot(
        "check", "--trades", "2", "--json", DATABASE_URL=database_url
    )
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    errors = [row["trades_error"] for row in report["series"]]
    assert "GONE/USDT" in errors[0] and errors[1] is None
    with database.session_scope() as session:
        ended = text(
            "SELECT ended_at FROM configuration_history WHERE process = 'check'"
        )
        assert session.execute(ended).scalar_one() is not None


def test_retry_asks_the_exchange_and_says_what_came_of_it(
    commands: Commands, database: Database, database_url: str
) -> None:
    seed(database)
    done = commands.crypto_bot(
        "quarantine", "retry", "--all", "--json", DATABASE_URL=database_url
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["outcomes"] == {"still_refused": 2}
    assert all(item["explanation"] for item in report["items"])
