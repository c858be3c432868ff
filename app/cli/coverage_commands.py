"""What of `crypto-bot` accounts for the data: coverage, events of the universe."""

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

ExchangeOption = Annotated[
    Optional[str], typer.Option("--exchange", help="Only this exchange.")
]


def coverage(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    exchange: ExchangeOption = None,
    symbol: SymbolOption = None,
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
    options = CoverageOptions(exchange, symbol, totals, verify, json)
    raise typer.Exit(show_coverage(config, options))


def add_coverage_commands(cli: typer.Typer) -> None:
    """Add these commands to the program."""
    cli.command()(coverage)
