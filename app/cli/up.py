"""`crypto-bot up`: the whole stack from one terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from app.bootstrap import (
    RUN_ID_VARIABLE,
    access,
    begin_run,
    build_clock,
    load_settings,
    require_exchange,
)
from app.cli.children import child_environment, child_spec, gave_up
from app.cli.live import Watch
from app.cli.replay import needs_market, require_free_port, running_market
from app.config.settings import Settings
from app.core.database import Database
from app.core.exceptions import ConfigurationError, ExitCode
from app.core.logging import configure_logging
from app.core.market_identity import state_directory
from app.core.postgres.access import DatabaseAccess
from app.core.postgres.owner_lock import OwnerLock
from app.domain.process import ProcessName
from app.models.schema import head_revision, upgrade
from app.processes.supervisor import Supervisor
from app.services.runs import end_run


def run_up(config: Path | None, seconds: float | None, is_plain: bool) -> ExitCode:
    """Start everything, show it, and stop it all at Ctrl-C or after `seconds`."""
    console = Console()
    settings = load_settings(config)
    # The screen tells the rest; the children log to files of their own in full.
    configure_logging("WARNING", settings.application.log_format)
    require_exchange(settings)
    if needs_market(settings):
        require_free_port(settings.replay)
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_stop_on_signals(stop))
        stack.enter_context(_only_one(settings))
        # 1. The market, unless a real or a running one is configured. First, because
        # a bad recording or a port in use is told at once.
        environment = child_environment(config)
        supervisors = []
        if needs_market(settings):
            supervisors.append(
                stack.enter_context(running_market(settings, environment))
            )
        # 2. The database, at today's schema.
        door = stack.enter_context(access(settings))
        database = Database(settings.database, door.url, application_name="up")
        stack.callback(database.dispose)
        before, after = database.find_revision(), head_revision()
        if before != after:
            upgrade(door.url, settings.database.password.get_secret_value())
        console.print(_database_line(door, before, after))
        # 3. The run, and its processes.
        clock = build_clock(settings)
        run_id = begin_run(settings, database, clock, "up")
        # Children find the database as we did, and belong to our run.
        environment.pop("DATABASE_URL_FILE", None)
        environment |= {"DATABASE_URL": door.url, RUN_ID_VARIABLE: str(run_id)}
        processes = Supervisor(
            [
                child_spec(settings, name.value, ["process", name.value], environment)
                for name in ProcessName
            ]
        )
        processes.start()
        stack.callback(processes.stop)
        supervisors.append(processes)
        # 4. What a user sees.
        watch = Watch(console, database, clock, supervisors, door.keep_alive)
        failure = watch.run(stop, seconds, is_plain)
        console.print("[dim]stopping ...[/]")
        processes.stop()
        with database.session_scope() as session:
            end_run(session, run_id, clock.now())
        if failure is not None:
            raise gave_up(settings, failure)
    return ExitCode.OK


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Two stacks on one market would write under two clocks: refuse the second."""
    directory = state_directory(settings)
    lock = OwnerLock(directory / "up.lock")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        is_ours = lock.acquire()
    except OSError as error:
        raise ConfigurationError(
            f"application.state_directory: {directory} cannot be written: "
            f"{error.strerror}"
        ) from error
    if not is_ours:
        raise ConfigurationError(
            f"another `crypto-bot up` runs on {directory}: stop it first, or choose "
            "another application.state_directory"
        )
    try:
        yield
    finally:
        lock.release()


def _database_line(door: DatabaseAccess, before: str | None, after: str) -> str:
    where = "embedded PostgreSQL" if door.owned else "PostgreSQL"
    how = "up to date" if before == after else f"migrated from {before or 'empty'}"
    return f"[dim]{where}: schema {after}, {how}[/]"


@contextmanager
def _stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set `stop`; a second one ends the program at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
