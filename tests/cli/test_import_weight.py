"""`--help` must be instant: the command line imports nothing heavy by itself."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"pandas", "numpy", "sqlalchemy", "ccxt", "pydantic", "aiohttp", "psycopg2"}


def test_the_command_line_imports_no_heavy_library() -> None:
    program = "import sys, app.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(done.stdout.split())


def test_help_lists_the_commands_and_imports_no_heavy_library() -> None:
    program = (
        "import sys; from app.cli.main import main; sys.argv[1:] = ['--help']\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('modules', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    page, _, modules = done.stdout.rpartition("modules")
    assert {"up", "process", "replay-market", "migrate", "status"} <= set(page.split())
    assert not HEAVY & set(modules.split())
