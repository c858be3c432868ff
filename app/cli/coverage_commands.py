"""What of `crypto-bot` looks after the data: coverage, size, events, universe."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from app.cli.options import (
    ConfigOption,
    JsonOption,
    RecordingOption,
    SymbolOption,
    choose_recording,
)
from app.domain.timeframe import Timeframe

universe_cli = typer.Typer(
    help="The list of markets that are collected.", no_args_is_help=True
)

ExchangeOption = Annotated[
    Optional[str], typer.Option("--exchange", help="Only this exchange.")
]


def coverage(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
    timeframe: Annotated[
        Optional[Timeframe], typer.Option(help="Only series of this time frame.")
    ] = None,
    totals: Annotated[
        bool, typer.Option("--totals", help="Leave out the single series.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Also count every bar and gap; exit 1 where the ledger is wrong.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Account for every slot: stored, missing for a reason, or pending."""
    from app.cli.coverage import CoverageOptions, show_coverage

    choose_recording(recording)
    options = CoverageOptions(exchange, symbol, timeframe, totals, verify, json)
    raise typer.Exit(show_coverage(config, options))


def compact(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be rebuilt.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what each month of bars takes; rebuild loose indexes of finished ones."""
    from app.cli.compact import compact as compact_months

    choose_recording(recording)
    compact_months(config, dry_run, json)


def events(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: JsonOption = False,
) -> None:
    """List listings, delistings, renames, halts and refused market lists."""
    from app.cli.events import show_events

    choose_recording(recording)
    show_events(config, exchange, symbol, limit, json)


@universe_cli.command("accept")
def accept(config: ConfigOption = None, recording: RecordingOption = None) -> None:
    """Confirm that the markets which a refused list lost really are gone."""
    from app.cli.events import accept_universe

    choose_recording(recording)
    raise typer.Exit(accept_universe(config))


def add_coverage_commands(cli: typer.Typer) -> None:
    """Add these commands to the program."""
    cli.command()(coverage)
    cli.command()(compact)
    cli.command()(events)
    cli.add_typer(universe_cli, name="universe")
