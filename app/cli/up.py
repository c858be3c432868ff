"""`crypto-bot up`: the whole stack from one terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import structlog
from rich.console import Console

from app.bootstrap import (
    RUN_ID_VARIABLE,
    access,
    begin_run,
    build_clock,
    load_settings,
)
from app.cli.live import Watch
from app.config.settings import Settings
from app.core.database import Database
from app.core.exceptions import ExitCode, FatalError
from app.core.market_identity import REPLAY, state_directory
from app.core.postgres.access import DatabaseAccess
from app.domain.process import ProcessName
from app.models.schema import head_revision, upgrade
from app.processes.supervisor import ChildSpec, Supervisor
from app.services.runs import end_run

log = structlog.get_logger(__name__)


def run_up(config: Path | None, seconds: float | None, is_plain: bool) -> ExitCode:
    """Start everything, show it, and stop it all at Ctrl-C or after `seconds`."""
    console = Console()
    settings = load_settings(config)
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_stop_on_signals(stop))
        # 1. The database, at today's schema.
        door = stack.enter_context(access(settings))
        database = Database(settings.database, door.url, application_name="up")
        stack.callback(database.dispose)
        before, after = database.find_revision(), head_revision()
        if before != after:
            upgrade(door.url, settings.database.password.get_secret_value())
        console.print(_database_line(door, before, after))
        environment = _environment(config, door)
        supervisors = []
        # 2. The market, unless a real or a running one is configured.
        if settings.exchange.id == REPLAY and not settings.exchange.replay_url:
            market = Supervisor(
                [_child(settings, "replay-market", ["replay-market"], environment)]
            )
            market.start()
            stack.callback(market.stop)
            supervisors.append(market)
            _wait_for_market(settings, market)
        # 3. The run, and its processes.
        clock = build_clock(settings)
        run_id = begin_run(settings, database, clock, "up")
        environment = environment | {RUN_ID_VARIABLE: str(run_id)}
        processes = Supervisor(
            [
                _child(settings, name.value, ["process", name.value], environment)
                for name in ProcessName
            ]
        )
        processes.start()
        stack.callback(processes.stop)
        supervisors.append(processes)
        # 4. What a user sees.
        watch = Watch(console, database, clock, supervisors, _keep_alive(door))
        failure = watch.run(stop, seconds, is_plain)
        console.print("[dim]stopping ...[/]")
        processes.stop()
        with database.session_scope() as session:
            end_run(session, run_id, clock.now())
        if failure is not None:
            raise FatalError(_explain(settings, failure))
    return ExitCode.OK


def _database_line(door: DatabaseAccess, before: str | None, after: str) -> str:
    where = "embedded PostgreSQL" if door.owned else "PostgreSQL"
    how = "up to date" if before == after else f"migrated from {before or 'empty'}"
    return f"[dim]{where}: schema {after}, {how}[/]"


def _environment(config: Path | None, door: DatabaseAccess) -> dict[str, str]:
    """Children see the same configuration, and the database as we found it."""
    environment = dict(os.environ)
    environment.pop("DATABASE_URL_FILE", None)
    environment["DATABASE_URL"] = door.url
    if config is not None:
        environment["CRYPTO_BOT_CONFIG"] = str(config.resolve())
    return environment


def _keep_alive(door: DatabaseAccess) -> Callable[[], None]:
    """Start the embedded server again if it died; for the thread that owns it."""

    def restart_if_dead() -> None:
        if door.server is not None and not door.server.is_alive():
            log.warning("postgres_died", action="starting it again")
            door.server.start()

    return restart_if_dead


def _child(
    settings: Settings, name: str, arguments: list[str], environment: dict[str, str]
) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=[sys.executable, "-m", "app.cli.main", *arguments],
        environment=environment,
        log_path=state_directory(settings) / "logs" / f"{name}.log",
    )


def _wait_for_market(settings: Settings, market: Supervisor) -> None:
    """Read the market's clock once; if it died instead, say why."""
    try:
        build_clock(settings)
    except Exception:
        status = market.statuses()[0]
        if status.restarts or status.exit_code is not None:
            raise FatalError(_explain(settings, "replay-market")) from None
        raise


def _explain(settings: Settings, child: str) -> str:
    """Why a child gave up: the last line it logged."""
    path = state_directory(settings) / "logs" / f"{child}.log"
    lines = (
        path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    )
    reason = lines[-1].removeprefix("crypto-bot: ") if lines else "it said nothing"
    return f"{child} gave up: {reason} (log: {path})"


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
