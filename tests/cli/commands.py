"""Runs the real commands as a user does, in an environment of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cli import warm
from tests.cli.warm import ROOT
from tests.processes.stack import free_port

CANARY = "canary-7f3a"


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


class Commands:
    """`crypto-bot` and the scripts, with settings from the environment only."""

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRYPTO_BOT", "DATABASE_"))
        }
        self.folder = folder
        self.port = free_port()
        self.environment: dict[str, str] = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            "CRYPTO_BOT__APPLICATION__STATE_DIRECTORY": str(folder / "state"),
            "CRYPTO_BOT__REPLAY__PORT": str(self.port),
            **variables,
        }

    def crypto_bot(self, *words: str, **variables: str) -> Outcome:
        """`crypto-bot WORDS`."""
        return self._run(["crypto-bot", *words], variables)

    def script(self, name: str, *words: str, **variables: str) -> Outcome:
        """`scripts/NAME.py WORDS`."""
        path = ROOT / "scripts" / f"{name}.py"
        return self._run([str(path), *words], variables)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`crypto-bot WORDS`, left running; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli.main", *words],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _run(self, command: list[str], variables: Mapping[str, str]) -> Outcome:
        # Beside the folder, which is the test's to look into.
        out, err = (self.folder.with_suffix(name) for name in (".out", ".err"))
        code = warm.run(
            command,
            {**self.environment, **variables},
            self.folder,  # no config.yaml or .env of this checkout
            out,
            err,
            seconds=120,
        )
        return Outcome(code, out.read_text("utf-8"), err.read_text("utf-8"))


def assert_refused(outcome: Outcome, code: int, *phrases: str) -> None:
    """One message with `phrases` and the exit code; no traceback, no password."""
    said = outcome.out + outcome.err
    assert outcome.code == code, said
    assert "Traceback" not in said, said
    assert CANARY not in said, said
    for phrase in phrases:
        assert phrase in outcome.err, said
