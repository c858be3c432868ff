"""`crypto-bot coverage`, as a user runs it."""

from __future__ import annotations

import json

import sqlalchemy as sa

from app.core.database import Database
from tests.cli.commands import Commands
from tests.services.series import LedgerSeries


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
