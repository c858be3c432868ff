#!/usr/bin/env python
"""Write a migration from the difference between the models and the database.

The database is the configured one and must be at the newest revision. Read what was
written before committing it: partition keys, CHECKs, added enum values, views and
functions are not compared.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.core.exceptions import AppError, ExitCode  # noqa: E402
from app.models.schema import create_revision  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Write the migration; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("message", metavar="MESSAGE", help="what it does, briefly")
    arguments = parser.parse_args(argv)
    try:
        print(create_revision(arguments.message))
    except AppError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
