#!/usr/bin/env python
"""Bring the configured database to the newest revision, or print the SQL for it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.bootstrap import migrate_database  # noqa: E402
from app.core.exceptions import AppError, ExitCode  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Migrate or print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the SQL, change nothing"
    )
    parser.add_argument("--config", type=Path, help="configuration file")
    arguments = parser.parse_args(argv)
    try:
        print(migrate_database(arguments.config, is_dry_run=arguments.dry_run))
    except AppError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
