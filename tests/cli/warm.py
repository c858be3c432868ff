"""Processes that have imported the program already: forked, not started anew.

Reading the program's modules takes most of a short command's time. A server (see
`multiprocessing`'s *forkserver*) does it once; each command is a fork of it, a process
of its own with its own arguments, environment, folder and output.
`tests/cli/test_import_weight.py` and the tests of the stack start theirs from scratch.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.cli.warm_modules"])


class TookTooLong(Exception):
    """A command did not end in time; it was killed."""


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    out: Path,
    err: Path,
    seconds: float,
) -> int:
    """Exit code of `command`: `crypto-bot` or a script's path, then its arguments."""
    process = _CONTEXT.Process(
        target=_become,
        args=(list(command), dict(environment), folder, out, err),
    )
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise TookTooLong(f"{command} after {seconds} s")
    code = process.exitcode
    assert code is not None
    return code


def _become(
    command: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path
) -> None:
    """Be that command, as if it had just been started."""
    for path, descriptor in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv[:] = command
    try:
        if command[0] == "crypto-bot":
            from app.cli.main import main

            main()
        else:
            sys.path[0] = str(Path(command[0]).parent)
            runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()
