"""Where tables are printed: as wide as they need to be, also into a pipe."""

from __future__ import annotations

import os
import sys

from rich.console import Console

# Columns of a table that nobody's terminal bounds: logs, pipes, CI.
_UNBOUND_WIDTH = 160


def table_console() -> Console:
    """A console on standard output; COLUMNS, where set, is the user's word."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return Console()
    return Console(width=_UNBOUND_WIDTH)
