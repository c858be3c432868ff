"""The `crypto-bot` command.

Every command imports what it needs when it runs, so that `--help` stays instant.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from app.cli.coverage_commands import add_coverage_commands
from app.cli.options import (
    ConfigOption,
    RecordingOption,
    choose_recording,
    override,
    require_positive,
)
from app.cli.quality_commands import add_quality_commands
from app.core.exceptions import AppError, ExitCode
from app.domain.process import ProcessName
from app.domain.timeframe import Timeframe

cli = typer.Typer(
    name="crypto-bot",
    help="Collects crypto market data into a training corpus. Simulated money only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@cli.command()
def up(
    config: ConfigOption = None,
    recording: Annotated[
        Optional[Path],
        typer.Option(help="Replay this folder of recorded bars (CSV or Parquet)."),
    ] = None,
    speed: Annotated[
        Optional[float],
        typer.Option(
            help="Virtual seconds per real second of the replay market.",
            callback=require_positive,
        ),
    ] = None,
    seconds: Annotated[
        Optional[float],
        typer.Option(
            help="Stop by itself after this many real seconds.",
            callback=require_positive,
        ),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print a line now and then; no screen.")
    ] = False,
) -> None:
    """Start everything: database, migrations, market, processes, live status."""
    from app.cli.up import run_up

    choose_recording(recording)
    override("CRYPTO_BOT__REPLAY__SPEED", speed)
    raise typer.Exit(run_up(config, seconds=seconds, is_plain=plain))


@cli.command()
def process(
    name: Annotated[ProcessName, typer.Argument(help="Which process to run.")],
    config: ConfigOption = None,
) -> None:
    """Run one background process until it is told to stop."""
    from app.bootstrap import run_process

    raise typer.Exit(run_process(name, config))


@cli.command("replay-market")
def replay_market(
    config: ConfigOption = None,
    host: Annotated[Optional[str], typer.Option(help="Address to listen on.")] = None,
    port: Annotated[Optional[int], typer.Option(help="Port to listen on.")] = None,
    recording: Annotated[
        Optional[Path], typer.Option(help="Folder of recorded bars to serve.")
    ] = None,
) -> None:
    """Serve the replay market: an exchange with simulated or recorded prices."""
    from app.bootstrap import serve_replay_market

    choose_recording(recording)
    override("CRYPTO_BOT__EXCHANGE__ID", "replay")
    override("CRYPTO_BOT__REPLAY__HOST", host)
    override("CRYPTO_BOT__REPLAY__PORT", port)
    serve_replay_market(config)


@cli.command()
def migrate(
    config: ConfigOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL; change nothing.")
    ] = False,
) -> None:
    """Bring the database to the schema this version needs."""
    from app.bootstrap import migrate_database

    typer.echo(migrate_database(config, is_dry_run=dry_run))


@cli.command()
def status(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show processes, tables, newest signals, trades and equity once."""
    from app.cli.status import show_status

    choose_recording(recording)
    show_status(config, is_json=json)


@cli.command()
def backfill(
    symbols: Annotated[
        Optional[list[str]], typer.Argument(help="Markets, for example BTC/USDT.")
    ] = None,
    config: ConfigOption = None,
    timeframe: Annotated[
        Optional[list[Timeframe]],
        typer.Option("--timeframe", help="Time frame; may be given several times."),
    ] = None,
    since: Annotated[
        Optional[str], typer.Option(help="First open time, UTC: 2017-08-01.")
    ] = None,
    until: Annotated[
        Optional[str], typer.Option(help="Bars open before this, UTC; default: now.")
    ] = None,
    archives: Annotated[
        Optional[str],
        typer.Option(
            help="Folder or URL in the layout of data.binance.vision, or `none`; "
            "default: that one for binance."
        ),
    ] = None,
    from_folder: Annotated[
        Optional[Path],
        typer.Option(help="Store SYMBOL-TIMEFRAME.csv(.gz) files of this folder."),
    ] = None,
    no_rest: Annotated[
        bool, typer.Option("--no-rest", help="Ask the exchange nothing.")
    ] = False,
    trades: Annotated[
        bool,
        typer.Option("--trades", help="Check the bars against archived trades too."),
    ] = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Read again what is stored already.")
    ] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept files without a CHECKSUM.")
    ] = False,
    recording: RecordingOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fill the history of markets: archives first, the exchange for the rest."""
    from app.cli.backfill import run_backfill
    from app.cli.backfill_options import options_of

    choose_recording(recording)
    options = options_of(
        symbols=symbols or [],
        timeframes=timeframe or [],
        since=since,
        until=until,
        archives=archives,
        from_folder=from_folder,
        uses_exchange=not no_rest,
        with_trades=trades,
        is_recheck=recheck,
        is_unverified_accepted=unverified,
        is_json=json,
    )
    raise typer.Exit(run_backfill(config, options))


@cli.command("database-url")
def database_url(
    config: ConfigOption = None,
    recording: RecordingOption = None,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Keep the embedded server up until Ctrl-C."),
    ] = False,
) -> None:
    """Print how psql, pandas and others reach the database."""
    from app.cli.database_url import print_database_url

    choose_recording(recording)
    print_database_url(config, serve)


@cli.command()
def healthcheck(
    name: Annotated[ProcessName, typer.Argument(help="Which process to check.")],
    config: ConfigOption = None,
    max_age_seconds: Annotated[
        float, typer.Option(help="Oldest heartbeat that counts as healthy.")
    ] = 60.0,
) -> None:
    """Exit 0 if the process's heartbeat is fresh, 1 if not."""
    from app.cli.status import is_healthy

    healthy = is_healthy(config, name, max_age_seconds)
    typer.echo("healthy" if healthy else "unhealthy")
    raise typer.Exit(ExitCode.OK if healthy else ExitCode.FAILED)


add_quality_commands(cli)
add_coverage_commands(cli)


def main() -> None:
    """Run a command; an expected error is one line and its documented exit code."""
    try:
        cli()
    except AppError as error:
        print(f"crypto-bot: {error}", file=sys.stderr)
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main()
