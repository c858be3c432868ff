"""`crypto-bot coverage`, `events` and `universe accept`, as a user runs them."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from app.core.database import Database
from tests.cli.commands import Commands, assert_refused
from tests.models.factories import add_run
from tests.services.series import LedgerSeries
from tests.services.test_market_events import TEN, refresh
from tests.services.world import at


def fill(database: Database) -> None:
    with database.session_scope() as session:
        LedgerSeries(session).answer(0, 60, 60, without=[7, 8])
        LedgerSeries(session, "ETH/USDT").answer(0, 30, 60)


def test_every_slot_is_shown(
    commands: Commands, database: Database, database_url: str
) -> None:
    fill(database)
    shown = commands.crypto_bot("coverage", "--verify", DATABASE_URL=database_url)
    assert shown.code == 0, shown.err
    for words in ("replay BTC/USDT", "100.000 %", "unknown", "agree on every slot"):
        assert words in shown.out
    totals = commands.crypto_bot("coverage", "--totals", DATABASE_URL=database_url)
    assert "BTC/USDT" not in totals.out and "100.000 %" in totals.out


def test_series_are_chosen_by_market_and_time_frame(
    commands: Commands, database: Database, database_url: str
) -> None:
    fill(database)
    words = ("coverage", "--symbol", "ETH/USDT", "--timeframe", "1m", "--json")
    document = json.loads(commands.crypto_bot(*words, DATABASE_URL=database_url).out)
    (series,) = document["series"]
    assert (series["symbol"], series["timeframe"]) == ("ETH/USDT", "1m")
    assert document["total"]["bars"] == 30


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (("coverage", "--symbol", "BTC/USD"), "'BTC/USD' is among the 2"),
        (("events", "--symbol", "BTC/USD"), "nearest: BTC/USDT"),
        (("check", "--symbol", "btc/usdt"), "nearest: BTC/USDT"),
        (("coverage", "--exchange", "nope"), "'nope' is stored; there is replay"),
        (("coverage", "--timeframe", "4h"), "of 4h is stored; there is 1m"),
        (("events", "--exchange", "nope"), "'nope' is stored; there is replay"),
    ],
)
def test_an_unknown_name_is_no_empty_answer(
    commands: Commands,
    database: Database,
    database_url: str,
    words: tuple[str, ...],
    phrase: str,
) -> None:
    fill(database)
    told = commands.crypto_bot(*words, "--json", DATABASE_URL=database_url)
    assert_refused(told, 2, phrase)
    assert not told.out


def test_where_no_process_ran_the_replay_market_is_as_late_as_its_data(
    commands: Commands, database: Database, database_url: str
) -> None:
    fill(database)
    told = commands.crypto_bot("coverage", "--json", DATABASE_URL=database_url)
    document = json.loads(told.out)
    assert document["now"] == at(60).isoformat()
    assert document["total"]["pending"] == 30  # of the series that ends earlier


def test_events_are_listed_and_a_refused_list_is_accepted(
    commands: Commands, database: Database, database_url: str
) -> None:
    here = {"DATABASE_URL": database_url}
    nothing = commands.crypto_bot("universe", "accept", **here)
    assert nothing.code == 1 and "nothing to accept" in nothing.out
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, at(0), TEN)
        refresh(session, run, at(1), TEN[:7])
    accepted = commands.crypto_bot("universe", "accept", **here)
    assert accepted.code == 0 and "H I J of replay's 10" in accepted.out
    listed = commands.crypto_bot("events", "--limit", "3", **here)
    assert "shrink_refused" in listed.out and "accepted_at" in listed.out
    (one,) = json.loads(
        commands.crypto_bot("events", "--symbol", "A", "--json", **here).out
    )
    assert (one["symbol"], one["kind"]) == ("A", "listed")


def test_a_wrong_ledger_is_told_and_fails(
    commands: Commands, database: Database, database_url: str
) -> None:
    fill(database)
    with database.session_scope() as session:
        session.execute(sa.text("DELETE FROM market_data_gaps"))
    words = ("coverage", "--verify", "--json", "--symbol", "BTC/USDT")
    told = commands.crypto_bot(*words, DATABASE_URL=database_url)
    document = json.loads(told.out)
    assert told.code == 1
    assert [one["symbol"] for one in document["series"]] == ["BTC/USDT"]
    assert document["total"]["unaccounted"] == 2
    assert document["total"]["accounted_percent"] < 100
    (fault,) = document["faults"]
    assert (fault["kind"], fault["slots"]) == ("uncovered", 2)
