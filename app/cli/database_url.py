"""`crypto-bot database-url`: how psql, pandas and others reach the database."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from app.bootstrap import access, load_settings
from app.core.exceptions import DatabaseUnavailable
from app.core.market_identity import state_directory
from app.core.postgres.access import find_running_url


def print_database_url(config: Path | None, is_serving: bool) -> None:
    """Print the URL; with `is_serving` keep an embedded server up until Ctrl-C."""
    settings = load_settings(config, is_quiet=True)
    if is_serving:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with access(settings) as door:
            print(_plain(door.url), flush=True)
            print("serving until Ctrl-C ...", file=sys.stderr, flush=True)
            while not stop.wait(0.2):
                if door.server is not None and not door.server.is_alive():
                    raise DatabaseUnavailable("the embedded PostgreSQL died")
        return
    url = settings.database.url.get_secret_value() or find_running_url(
        settings.database, state_directory(settings)
    )
    if url is None:
        raise DatabaseUnavailable(
            "the embedded PostgreSQL is not running: start everything with "
            "`crypto-bot up`, or only the database with `crypto-bot database-url "
            "--serve`"
        )
    print(_plain(url))


def _plain(url: str) -> str:
    """The URL as libpq knows it: SQLAlchemy's driver name left out."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)
