"""Child processes of a command: how they are started, and why one gave up."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.config.settings import Settings
from app.core.allocator import ALLOCATOR
from app.core.exceptions import ExitCode, FatalError
from app.core.market_identity import state_directory
from app.processes.supervisor import ChildSpec, ChildStatus


def child_environment(config: Path | None) -> dict[str, str]:
    """This process's environment, which names the configuration file as well."""
    environment = dict(os.environ)
    if config is not None:
        environment["CRYPTO_BOT_CONFIG"] = str(config.resolve())
    return environment


def child_spec(
    settings: Settings,
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
) -> ChildSpec:
    """`crypto-bot ARGUMENTS` as a child that logs to a file of its own."""
    return ChildSpec(
        name=name,
        command=[sys.executable, "-m", "app.cli.main", *arguments],
        environment={**ALLOCATOR, **environment},
        log_path=_log_path(settings, name),
    )


def gave_up(settings: Settings, child: ChildStatus) -> FatalError:
    """The error that says why a child gave up; it keeps the child's exit code."""
    path = _log_path(settings, child.name)
    error = FatalError(f"{child.name} gave up: {_last_words(path)} (log: {path})")
    if child.exit_code in tuple(ExitCode):
        error.exit_code = ExitCode(child.exit_code)
    return error


def _log_path(settings: Settings, name: str) -> Path:
    return state_directory(settings) / "logs" / f"{name}.log"


def _last_words(path: Path) -> str:
    """What `main` printed at the end: a message, perhaps with lines indented."""
    text = path.read_text(errors="replace").strip() if path.exists() else ""
    if not text:
        return "it said nothing"
    _, found, message = text.rpartition("crypto-bot: ")
    return message if found else text.splitlines()[-1]
