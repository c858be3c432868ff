"""Tables name every market and every figure in full, however narrow it gets."""

from __future__ import annotations

import pytest

from app.core.database import Database
from tests.cli.commands import Commands
from tests.cli.test_quality_commands import seed


@pytest.mark.parametrize("columns", ["", "80"])
def test_tables_are_whole(
    commands: Commands, database: Database, database_url: str, columns: str
) -> None:
    seed(database)
    here = {"DATABASE_URL": database_url, "COLUMNS": columns}
    shown = commands.crypto_bot("coverage", **here).out
    assert "replay BTC/USDT" in shown and "100.000 %" in shown and "…" not in shown
    assert ("revised" in shown) == (not columns)
    listed = commands.crypto_bot("quarantine", "list", **here).out
    assert "price_not_finite" in listed and "BTC/USDT" in listed and "…" not in listed
    assert ("settled" in listed) == (not columns)
