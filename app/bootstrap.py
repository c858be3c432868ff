"""The only wiring: which part gets which other part. Read it like a diagram.

settings -> database <- models/alembic
    |          |
    v          v
exchange -> services -> processes   (one operating system process each)
    ^
replay market (or a real exchange)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, assert_never
from uuid import UUID, uuid4

from app.config.current import load_config
from app.config.redaction import redacted
from app.config.settings import Settings
from app.core.clock import Clock, ScaledClock, SystemClock
from app.core.database import Database
from app.core.exceptions import ExitCode
from app.core.logging import configure_logging
from app.core.market_identity import REPLAY, market_identity, state_directory
from app.core.postgres.access import DatabaseAccess, database_access
from app.domain.process import ProcessName
from app.processes.base import BaseProcess
from app.processes.heartbeat import Heartbeat

if TYPE_CHECKING:
    from app.exchange.service import ExchangeService

RUN_ID_VARIABLE = "CRYPTO_BOT_RUN_ID"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every process is built from."""

    settings: Settings
    database: Database
    clock: Clock
    run_id: UUID


def load_settings(config: Path | None, is_quiet: bool = False) -> Settings:
    """Settings from file, environment and defaults; logging set up by them.

    `is_quiet` is for commands whose answer is what they print: warnings only.
    """
    settings = load_config(config)
    level = "WARNING" if is_quiet else settings.application.log_level
    configure_logging(level, settings.application.log_format)
    return settings


def require_exchange(settings: Settings) -> None:
    """Refuse an exchange nobody knows before anything is started for it."""
    from app.exchange.client import require_known_exchange

    require_known_exchange(settings.exchange.id)


@contextmanager
def open_database(settings: Settings, name: str) -> Iterator[Database]:
    """The configured or embedded database, at the schema this version needs."""
    from app.models.schema import head_revision

    with access(settings) as door:
        database = Database(settings.database, door.url, application_name=name)
        try:
            database.check_connection()
            database.check_schema(head_revision())
            yield database
        finally:
            database.dispose()


@contextmanager
def access(settings: Settings) -> Iterator[DatabaseAccess]:
    """Where the database is; starts the embedded one if nobody runs it."""
    with database_access(settings.database, state_directory(settings)) as door:
        yield door


def migrate_database(config: Path | None, is_dry_run: bool) -> str:
    """Migrate, or say which SQL would; returns what to tell the user."""
    from app.models.schema import head_revision, upgrade, upgrade_sql

    settings = load_settings(config, is_quiet=True)
    with access(settings) as door:
        database = Database(settings.database, door.url, application_name="migrate")
        before, after = database.find_revision(), head_revision()
        database.dispose()
        if before == after:
            return f"The database is at revision {after} already."
        if is_dry_run:
            return upgrade_sql(f"{before or 'base'}:{after}")
        upgrade(door.url, settings.database.password.get_secret_value())
    return f"Migrated the database from {before or 'empty'} to revision {after}."


def replay_url(settings: Settings) -> str:
    """Where the replay market listens."""
    replay = settings.replay
    return settings.exchange.replay_url or f"http://{replay.host}:{replay.port}"


def build_clock(settings: Settings) -> Clock:
    """The replay market's virtual time, or the machine's own."""
    if settings.exchange.id != REPLAY:
        return SystemClock()
    from app.exchange.replay_clock import read_replay_clock

    return read_replay_clock(replay_url(settings), market_identity(settings))


def build_process(name: ProcessName, runtime: Runtime) -> BaseProcess:
    """One background process with everything it needs."""
    match name:
        case ProcessName.MARKET_FILTER:
            return _market_filter(runtime)
        case ProcessName.COLLECTOR:
            return _collector(runtime)
        case ProcessName.SNAPSHOTTER:
            return _snapshotter(runtime)
        case ProcessName.SCANNER:
            return _scanner(runtime)
        case ProcessName.TRADE_MANAGER:
            return _trade_manager(runtime)
        case _:
            assert_never(name)


# Each builder imports its own room: a process carries only what it uses, and one
# that never asks the exchange does without ccxt's 80 MB.


def _market_filter(runtime: Runtime) -> BaseProcess:
    from app.processes.market_filter import MarketFilterProcess

    return MarketFilterProcess(
        runtime.clock,
        runtime.database,
        _heartbeat(runtime, ProcessName.MARKET_FILTER),
        build_exchange(runtime),
        runtime.settings.filter,
        runtime.run_id,
        runtime.settings.application.watchdog_seconds,
    )


def _collector(runtime: Runtime) -> BaseProcess:
    from app.processes.collector import Collector
    from app.services.collection.collector import CollectionService

    exchange = build_exchange(runtime)
    settings = runtime.settings.collector
    return Collector(
        runtime.clock,
        runtime.database,
        _heartbeat(runtime, ProcessName.COLLECTOR),
        exchange,
        CollectionService(exchange.exchange_id, exchange, settings, runtime.run_id),
        settings,
        runtime.settings.application.watchdog_seconds,
    )


def _snapshotter(runtime: Runtime) -> BaseProcess:
    from app.processes.snapshotter import Snapshotter
    from app.services.snapshots import SnapshotService

    exchange = build_exchange(runtime)
    settings = runtime.settings.snapshot
    return Snapshotter(
        runtime.clock,
        runtime.database,
        _heartbeat(runtime, ProcessName.SNAPSHOTTER),
        exchange,
        SnapshotService(exchange.exchange_id, settings, runtime.run_id),
        settings,
        runtime.settings.application.watchdog_seconds,
    )


def _scanner(runtime: Runtime) -> BaseProcess:
    from app.processes.scanner import Scanner
    from app.services.scanning import OpportunityScanner
    from app.strategies.registry import build_strategies

    settings = runtime.settings
    scanners = [
        OpportunityScanner(settings.exchange.id, strategy, settings, runtime.run_id)
        for strategy in build_strategies(settings.strategies)
    ]
    return Scanner(
        runtime.clock,
        runtime.database,
        _heartbeat(runtime, ProcessName.SCANNER),
        scanners,
        settings.application.watchdog_seconds,
    )


def _trade_manager(runtime: Runtime) -> BaseProcess:
    from app.processes.trade_manager import TradeManager
    from app.services.trade_management import TradeManagementService

    settings = runtime.settings
    return TradeManager(
        runtime.clock,
        runtime.database,
        _heartbeat(runtime, ProcessName.TRADE_MANAGER),
        TradeManagementService(settings.simulation, settings.risk, runtime.run_id),
        settings.simulation,
        settings.application.watchdog_seconds,
    )


def build_exchange(runtime: Runtime, reserve_share: float = 0.0) -> ExchangeService:
    """The one door to the exchange.

    `reserve_share` is the part of a full bucket that is left to other processes:
    `app.exchange.budget.BACKFILL_RESERVE` for what can wait.
    """
    return open_exchange(
        runtime.settings, runtime.clock, runtime.database, reserve_share
    )


def open_exchange(
    settings: Settings, clock: Clock, database: Database, reserve_share: float = 0.0
) -> ExchangeService:
    """As `build_exchange`, for tools that are no run of their own."""
    from app.exchange.service import ExchangeService
    from app.services.rate_budget import DatabaseBudget

    budget = DatabaseBudget(
        database,
        settings.exchange.id,
        settings.exchange.address,
        _budget_clock(settings, clock),
    )
    return ExchangeService(
        settings.exchange,
        clock,
        replay_url(settings),
        budget=budget,
        reserve_share=reserve_share,
    )


def _budget_clock(settings: Settings, clock: Clock) -> Clock | None:
    """The market's virtual time, on also after a recording's end; else None."""
    if settings.exchange.id != REPLAY:
        return None
    if isinstance(clock, ScaledClock):
        return ScaledClock(clock.virtual_at, clock.real_at, clock.speed)
    return clock


def _heartbeat(runtime: Runtime, name: ProcessName) -> Heartbeat:
    return Heartbeat(runtime.database, name, runtime.run_id)


def run_process(name: ProcessName, config: Path | None) -> ExitCode:
    """Run one background process until it is told to stop."""
    settings = load_settings(config)
    with open_database(settings, name.value) as database:
        clock = build_clock(settings)
        run_id = begin_run(settings, database, clock, name.value)
        runtime = Runtime(settings, database, clock, run_id)
        return build_process(name, runtime).run()


def begin_run(
    settings: Settings, database: Database, clock: Clock, process: str
) -> UUID:
    """Record the configuration; joins the run of a parent that names one."""
    from app.services.runs import RunRecord, record_run

    run_id = UUID(os.environ.get(RUN_ID_VARIABLE) or str(uuid4()))
    run = RunRecord(
        run_id, process, market_identity(settings), redacted(settings), code_version()
    )
    with database.session_scope() as session:
        record_run(session, run, clock.now())
    return run_id


def code_version() -> str:
    """Version of the installed program."""
    try:
        return version("crypto-trading-bot")
    except PackageNotFoundError:
        return "0+unknown"


def serve_replay_market(config: Path | None) -> None:
    """Serve the replay market until told to stop."""
    from app.replay.server import run_replay_market

    settings = load_settings(config)
    directory = state_directory(settings)
    directory.mkdir(parents=True, exist_ok=True)
    run_replay_market(settings.replay, directory)
