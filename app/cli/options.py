"""Options that many commands share, and how they win over file and environment."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from app.core.exceptions import ConfigurationError

ConfigOption = Annotated[
    Optional[Path],
    typer.Option("--config", help="Configuration file (YAML).", dir_okay=False),
]

RecordingOption = Annotated[
    Optional[Path],
    typer.Option("--recording", help="Folder of the recording that was replayed."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SymbolOption = Annotated[
    Optional[str], typer.Option("--symbol", help="Only this market: BTC/USDT.")
]

SinceOption = Annotated[
    Optional[str], typer.Option("--since", help="Only from then on, UTC: 2024-01-31.")
]


def choose_recording(recording: Path | None) -> None:
    """Mean the database of this recording, which is one of its own.

    Raises ConfigurationError where the folder is not there: it would otherwise look
    like a recording of which nothing is collected yet.
    """
    if recording is not None and not recording.is_dir():
        raise ConfigurationError(f"--recording: {recording} is not a folder")
    override("CRYPTO_BOT__EXCHANGE__ID", "replay" if recording else None)
    override("CRYPTO_BOT__REPLAY__RECORDING", recording and recording.resolve())


def require_positive(value: float | None) -> float | None:
    """A typer callback: refuses what is no finite number above 0."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter(f"must be a finite number above 0, got {value:g}")
    return value


def override(variable: str, value: object) -> None:
    """Let an option win over file and environment, for children as well."""
    if value is not None:
        os.environ[variable] = str(value)
