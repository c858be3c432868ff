"""What runs of one worker share: a server, a market, a proxy, a forking process."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import psycopg2
from psycopg2.extensions import connection as Connection
from sqlalchemy import make_url

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.database_url import parse_url
from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.core.postgres.server import EmbeddedServer
from app.domain.market import MarketStatus
from app.models import Cryptocurrency, UniverseMembership
from app.models.schema import upgrade
from app.services.runs import RunRecord, record_run
from tests.chaos.market import MarketThread
from tests.chaos.scenario import SYMBOLS
from tests.chaos.shared_clock import SharedClock
from tests.chaos.zygote import Zygote
from tests.core.tcp_proxy import TcpProxy
from tests.database_fixtures import temporary_folder

TEMPLATE = "chaos_template"
RUN_ID = UUID("00000000-0000-4000-8000-000000000001")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)
# The machine does not lose power here, so fsync may be off; but what was committed
# must survive the server's death, so commits wait for the write-ahead log.
_SERVER_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "deadlock_timeout": "50ms",
    "max_connections": "40",
}


@dataclass
class Bench:
    """The lasting parts; each run gets a database, a market and collectors."""

    server: EmbeddedServer
    proxy: TcpProxy
    market: MarketThread
    zygote: Zygote
    clock: SharedClock
    folder: Path

    @contextmanager
    def database(self) -> Iterator[str]:
        """URL of a fresh copy of the template, dropped afterwards."""
        name = f"chaos_{uuid.uuid4().hex[:12]}"
        self.administer(
            f"CREATE DATABASE {name} OWNER {make_url(self.server.url).username} "
            f"TEMPLATE {TEMPLATE} STRATEGY file_copy"
        )
        try:
            url = make_url(self.server.url).set(database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    def administer(self, statement: str) -> None:
        """Run `statement` as superuser, outside any transaction."""
        connection = connect(self.server.admin_url)
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def restart_server(self) -> None:
        """An immediate shutdown, and crash recovery."""
        os.kill(self.server.pid, signal.SIGQUIT)
        deadline = time.monotonic() + 20
        while self.server.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.server.start()


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Everything started once; about two seconds."""
    zygote = Zygote()
    with temporary_folder() as folder, temporary_folder() as ours:
        access = connect_or_start(
            ServerLocation(folder),
            server_identity(),
            server_settings=_SERVER_SETTINGS,
        )
        assert access.server is not None
        clock = SharedClock(ours / "clock")
        market = MarketThread(clock)
        try:
            _make_template(access.server)
            with TcpProxy.in_front_of(access.url) as proxy:
                yield Bench(access.server, proxy, market, zygote, clock, ours)
        finally:
            zygote.close()
            market.close()
            access.server.stop()


def connect(url: str) -> Connection:
    """A plain connection that commits every statement."""
    parsed = parse_url(url).set(drivername="postgresql")
    connection = psycopg2.connect(parsed.render_as_string(hide_password=False))
    connection.autocommit = True
    return connection


def _make_template(server: EmbeddedServer) -> None:
    """A migrated database in which four markets are admitted."""
    owner = make_url(server.url).username
    admin = connect(server.admin_url)
    admin.cursor().execute(f"CREATE DATABASE {TEMPLATE} OWNER {owner}")
    admin.close()
    url = make_url(server.url).set(database=TEMPLATE)
    text = url.render_as_string(hide_password=False)
    upgrade(text)
    database = Database(DatabaseSettings(), text)
    with database.session_scope() as session:
        record_run(session, RunRecord(RUN_ID, "chaos", "chaos", {}, "0"), _LONG_AGO)
        session.flush()
        for number, symbol in enumerate(SYMBOLS, start=1):
            base = symbol.removesuffix("USDT")
            session.add(
                Cryptocurrency(
                    id=number,
                    exchange="replay",
                    symbol=f"{base}/USDT",
                    exchange_symbol=symbol,
                    base=base,
                    quote="USDT",
                    status=MarketStatus.TRADING,
                    first_seen_at=_LONG_AGO,
                    last_seen_at=_LONG_AGO,
                    run_id=RUN_ID,
                )
            )
            session.flush()
            session.add(
                UniverseMembership(
                    cryptocurrency_id=number,
                    admitted=True,
                    reasons=[],
                    figures={},
                    valid_from=_LONG_AGO,
                    run_id=RUN_ID,
                )
            )
    database.dispose()
