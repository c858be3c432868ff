"""What `crypto-bot backfill` was asked for, checked before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from app.cli.moments import parse_moment
from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe
from app.exchange.archives.recorded_names import RecordedName, find_recorded_name


@dataclass(frozen=True, slots=True)
class BackfillOptions:
    """What the command line asked for."""

    symbols: tuple[str, ...]
    timeframes: tuple[Timeframe, ...]
    since: datetime | None
    until: datetime | None
    archives: str | None = None
    from_folder: Path | None = None
    uses_exchange: bool = True
    is_unverified_accepted: bool = False
    is_recheck: bool = False
    with_trades: bool = False
    is_json: bool = False


def options_of(
    *,
    symbols: Sequence[str],
    timeframes: Sequence[Timeframe],
    since: str | None,
    until: str | None,
    from_folder: Path | None,
    archives: str | None,
    uses_exchange: bool,
    with_trades: bool,
    is_recheck: bool,
    is_unverified_accepted: bool,
    is_json: bool,
) -> BackfillOptions:
    """The options as typed; raises typer's usage error for what makes no sense."""
    if from_folder is None and not symbols:
        raise typer.BadParameter("name at least one market, as BTC/USDT")
    if from_folder is None and since is None:
        raise typer.BadParameter("--since is needed: how far back should it go?")
    if from_folder is None and not timeframes:
        timeframes = [Timeframe.H1]
    if from_folder is not None and archives is not None:
        raise typer.BadParameter(
            "--from-folder and --archives exclude each other: one names recorded "
            "files, the other published archives"
        )
    first, last = parse_moment(since, "--since"), parse_moment(until, "--until")
    if first is not None and last is not None and first >= last:
        raise typer.BadParameter(
            f"--since {since} must be before --until {until}: no bar lies between"
        )
    return BackfillOptions(
        symbols=tuple(dict.fromkeys(symbols)),
        timeframes=tuple(dict.fromkeys(timeframes)),
        since=first,
        until=last,
        archives=archives,
        from_folder=from_folder,
        uses_exchange=uses_exchange,
        is_unverified_accepted=is_unverified_accepted,
        is_recheck=is_recheck,
        with_trades=with_trades,
        is_json=is_json,
    )


def require_past(options: BackfillOptions, now: datetime) -> None:
    """Refuse a beginning at which the market's time, `now`, has not arrived."""
    if options.since is not None and options.since >= now:
        raise typer.BadParameter(
            f"--since {options.since:%Y-%m-%d %H:%M} must be before now, which for the "
            f"market is {now:%Y-%m-%d %H:%M} UTC"
        )


def find_archive_folder(options: BackfillOptions) -> Path | None:
    """The folder of `--archives`, None for a URL or where no archive is read.

    Raises typer's usage error for a folder without anything of an archive's layout.
    """
    place = options.archives
    if place is None or place == "none" or options.from_folder is not None:
        return None
    if place.startswith(("http://", "https://")):
        return None
    folder = Path(place)
    if not folder.is_dir():
        raise typer.BadParameter(f"--archives: {folder} is no folder and no URL")
    if not (folder / "data/spot").is_dir() and not any(folder.glob("*.zip")):
        raise typer.BadParameter(
            f"--archives: {folder} holds nothing in the layout of data.binance.vision, "
            "neither data/spot nor files as BTCUSDT-1h-2024-01.zip"
        )
    return folder


def find_recordings(options: BackfillOptions) -> list[tuple[Path, RecordedName]]:
    """Recorded series in `--from-folder` of the symbols asked for, or all."""
    folder = options.from_folder
    if folder is None:
        return []
    if not folder.is_dir():
        raise ConfigurationError(f"--from-folder: {folder} is not a folder")
    wanted = {symbol.replace("/", "") for symbol in options.symbols}
    named = [(path, find_recorded_name(path.name)) for path in sorted(folder.iterdir())]
    found = [
        (path, name)
        for path, name in named
        if name is not None
        and name.kind != "parquet"
        and (not wanted or name.symbol in wanted)
        and (not options.timeframes or name.timeframe in options.timeframes)
    ]
    if not found:
        raise ConfigurationError(
            f"--from-folder: {folder} holds no SYMBOL-TIMEFRAME.csv or .csv.gz of "
            "what was asked for"
        )
    return found
