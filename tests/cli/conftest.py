"""A user's terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Commands with a state folder and a port of this test's own."""
    return Commands(tmp_path)
