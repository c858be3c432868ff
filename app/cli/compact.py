"""`crypto-bot compact`: what the bars of each month take, and less of it."""

from __future__ import annotations

import json
from pathlib import Path

from rich.table import Table

from app.bootstrap import load_settings, open_database
from app.cli.console import table_console
from app.cli.market_time import stored_clock
from app.core.database import Database
from app.services.compaction import MonthSize, compact_month, read_months


def compact(config: Path | None, is_dry: bool, is_json: bool) -> None:
    """Rebuild loose indexes of months that are over; show each month's size."""
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "compact") as database:
        with database.session_scope() as session:
            now = stored_clock(session, settings).now()
        before = _read(database)
        due = [month for month in before if month.is_over(now) and month.is_loose]
        for month in [] if is_dry else due:
            compact_month(database, month)
        after = _read(database)
    names = {month.name for month in due}
    if is_json:
        rows = [
            {
                "month": f"{old.month:%Y-%m}",
                "bars": new.bars,
                "bytes_per_bar_before": round(old.bytes_per_bar, 1),
                "bytes_per_bar": round(new.bytes_per_bar, 1),
                "is_due": old.name in names,
            }
            for old, new in zip(before, after, strict=True)
        ]
        print(json.dumps(rows, indent=2))
        return
    table_console().print(_table(before, after, names, is_dry))


def _read(database: Database) -> list[MonthSize]:
    with database.session_scope() as session:
        return read_months(session)


def _table(
    before: list[MonthSize], after: list[MonthSize], due: set[str], is_dry: bool
) -> Table:
    table = Table(title="Bars on disk", title_justify="left")
    for heading in ("month", "bars", "MiB", "bytes a bar", ""):
        right = heading not in ("month", "")
        table.add_column(heading, justify="right" if right else "left")
    for old, new in zip(before, after, strict=True):
        said = ""
        if old.name in due:
            said = "would be rebuilt" if is_dry else f"was {old.bytes_per_bar:.1f}"
        table.add_row(
            f"{new.month:%Y-%m}",
            f"{new.bars:,}",
            f"{(new.table_bytes + new.index_bytes) / 2**20:,.1f}",
            f"{new.bytes_per_bar:.1f}" if new.bars else "-",
            said,
        )
    return table
