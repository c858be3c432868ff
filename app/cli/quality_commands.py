"""What of `crypto-bot` looks after the quality of the data: quarantine and check."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from app.cli.options import (
    ConfigOption,
    JsonOption,
    RecordingOption,
    SinceOption,
    SymbolOption,
    choose_recording,
)
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe

quarantine_cli = typer.Typer(
    help="Refused items: what the exchange sent that no market can have produced.",
    no_args_is_help=True,
)


@quarantine_cli.command("list")
def list_quarantine(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    rule: Annotated[
        Optional[RejectionRule], typer.Option(help="Only what this rule refused.")
    ] = None,
    symbol: SymbolOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    unresolved: Annotated[
        bool, typer.Option("--unresolved", help="Only what is not settled.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List refused items, newest first."""
    from app.cli.quarantine import Selection, show_list

    choose_recording(recording)
    show_list(config, Selection(rule, symbol, since, limit, unresolved), json)


@quarantine_cli.command("show")
def show_quarantined(
    id: Annotated[str, typer.Argument(help="Id of the item, or how it begins.")],
    config: ConfigOption = None,
    recording: RecordingOption = None,
    json: JsonOption = False,
) -> None:
    """Show one refused item: raw text, rule and figures."""
    from app.cli.quarantine import show_item

    _require_ids([id])
    choose_recording(recording)
    show_item(config, id, json)


@quarantine_cli.command("retry")
def retry_quarantined(
    ids: Annotated[
        Optional[list[str]], typer.Argument(help="Ids, or how they begin.")
    ] = None,
    config: ConfigOption = None,
    recording: RecordingOption = None,
    all: Annotated[
        bool,
        typer.Option("--all", help="What is not settled, at most 1,000 items a time."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Judge items again by today's rules; ask the exchange for refused bars."""
    from app.cli.quarantine_retry import retry_items

    if bool(ids) == all:
        raise typer.BadParameter("name the items by their ids, or say --all")
    _require_ids(ids or [])
    choose_recording(recording)
    raise typer.Exit(retry_items(config, ids or None, json))


def _require_ids(ids: list[str]) -> None:
    """Every item's id begins with an empty one."""
    if any(not id.strip() for id in ids):
        raise typer.BadParameter(
            "give the id of the item, or how it begins: `crypto-bot quarantine list`"
        )


def check(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    symbol: SymbolOption = None,
    timeframe: Annotated[
        Optional[Timeframe], typer.Option(help="Only bars of this time frame.")
    ] = None,
    since: SinceOption = None,
    trades: Annotated[
        int,
        typer.Option(
            min=0, help="Also compare this many newest bars with the venue's trades."
        ),
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Check stored bars: implausible ones, and larger ones against smaller ones."""
    from app.cli.check import CheckOptions, run_check

    choose_recording(recording)
    options = CheckOptions(symbol, timeframe, since, trades, json)
    raise typer.Exit(run_check(config, options))


def add_quality_commands(cli: typer.Typer) -> None:
    """Add these commands to the program."""
    cli.add_typer(quarantine_cli, name="quarantine")
    cli.command()(check)
