"""`crypto-bot compact`, as an operator runs it."""

from __future__ import annotations

import json
from typing import Any

from app.core.database import Database
from tests.cli.commands import Commands
from tests.services.test_compaction import MINUTES, SERIES, collect_by_the_minute


def test_finished_months_are_rebuilt_and_others_left(
    commands: Commands, database: Database, database_url: str
) -> None:
    collect_by_the_minute(database)  # in January 2025

    def run(*words: str) -> list[dict[str, Any]]:
        told = commands.crypto_bot(
            "compact",
            *words,
            "--json",
            DATABASE_URL=database_url,
            CRYPTO_BOT__EXCHANGE__ID="binance",  # whose time is the machine's
        )
        assert told.code == 0, told.err
        return [row for row in json.loads(told.out) if row["bars"]]

    (planned,) = run("--dry-run")
    assert planned["is_due"] and planned["bars"] == SERIES * MINUTES
    assert planned["bytes_per_bar"] == planned["bytes_per_bar_before"]
    (done,) = run()
    assert float(done["bytes_per_bar"]) < float(done["bytes_per_bar_before"])
    (again,) = run()
    assert not again["is_due"]
