"""`crypto-bot quarantine list` and `show`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from app.bootstrap import load_settings, open_database
from app.cli.console import table_console
from app.cli.moments import parse_moment
from app.domain.rejection import RejectionRule
from app.models import QuarantinedRow

_SHORT_ID = 8
# Narrower terminals do without what `quarantine show` tells of an item.
_FULL_WIDTH = 120
_SECONDARY = ("kind", "of", "settled")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which items are asked for."""

    rule: RejectionRule | None
    symbol: str | None
    since: str | None
    limit: int
    is_unresolved: bool


def show_list(config: Path | None, selection: Selection, is_json: bool) -> None:
    """Print the items that match, newest first."""
    since = parse_moment(selection.since, "--since")
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "quarantine") as database:
        with database.session_scope() as session:
            rows = QuarantinedRow.get_filtered(
                session,
                symbol=selection.symbol,
                rule=selection.rule.value if selection.rule else None,
                since=since,
                is_unresolved=selection.is_unresolved,
                limit=selection.limit,
            )
            if is_json:
                print(json.dumps([row.to_dict() for row in rows], indent=2))
            else:
                console = table_console()
                is_narrow = console.width < _FULL_WIDTH
                view = _table(rows, is_narrow) if rows else _nothing(selection)
                console.print(view)


def _nothing(selection: Selection) -> str:
    asked = (selection.rule, selection.symbol, selection.since)
    if any(asked) or selection.is_unresolved:
        return "Nothing that was refused matches."
    return "Nothing was refused."


def show_item(config: Path | None, id: str, is_json: bool) -> None:
    """Print everything that is known of one item."""
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "quarantine") as database:
        with database.session_scope() as session:
            row = get_item(session, id)
            if is_json:
                print(json.dumps(row.to_dict(), indent=2))
            else:
                Console().print(_details(row))


def get_item(session: Session, id: str) -> QuarantinedRow:
    """The item whose id is or begins with `id`; a usage error if not exactly one."""
    found = QuarantinedRow.find_by_prefix(session, id)
    if not found:
        raise typer.BadParameter(f"no refused item has an id that begins with {id!r}")
    if len(found) > 1:
        raise typer.BadParameter(
            f"several refused items have an id that begins with {id!r}: give more of it"
        )
    return found[0]


def _table(rows: Sequence[QuarantinedRow], is_narrow: bool) -> Table:
    table = Table(title="Refused items", title_justify="left")
    for name in ("id", "known at", "market", "kind", "rule", "of", "settled"):
        if not (is_narrow and name in _SECONDARY):
            table.add_column(name, no_wrap=name != "market", overflow="fold")
    for row in rows:
        kind = row.what if row.timeframe is None else f"{row.what} {row.timeframe}"
        main: list[str | Text] = [
            str(row.id)[:_SHORT_ID],
            f"{row.known_at:%Y-%m-%d %H:%M:%S}",
            Text(row.symbol),
        ]
        if is_narrow:
            table.add_row(*main, row.rule)
            continue
        table.add_row(
            *main,
            Text(kind),
            row.rule,
            "-" if row.occurred_at is None else f"{row.occurred_at:%Y-%m-%d %H:%M}",
            row.resolution or ("still refused" if row.retried_at else "-"),
        )
    return table


def _details(row: QuarantinedRow) -> Table:
    table = Table.grid(padding=(0, 2))
    hidden = {"figures", "raw", "created_at", "updated_at"}
    for name, value in row.to_dict().items():
        if name not in hidden and value is not None:
            table.add_row(name, Text(str(value)))
    for name, value in (row.figures or {}).items():
        table.add_row(name, Text(str(value)))
    # Text: the raw item may hold what rich would take for mark-up.
    table.add_row("raw", Text(row.raw))
    return table
