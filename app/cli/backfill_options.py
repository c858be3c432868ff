"""What `crypto-bot backfill` was asked for, checked before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import typer

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
    return BackfillOptions(
        symbols=tuple(dict.fromkeys(symbols)),
        timeframes=tuple(dict.fromkeys(timeframes)),
        since=_moment(since, "--since"),
        until=_moment(until, "--until"),
        archives=archives,
        from_folder=from_folder,
        uses_exchange=uses_exchange,
        is_unverified_accepted=is_unverified_accepted,
        is_recheck=is_recheck,
        with_trades=with_trades,
        is_json=is_json,
    )


def _moment(text: str | None, option: str) -> datetime | None:
    """An ISO date or instant, UTC where it names no zone."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} must be ISO 8601, as 2017-08-01 or 2017-08-01T12:00, got {text}"
        ) from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)


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
