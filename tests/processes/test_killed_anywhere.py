"""kill -9 of anything, at any time: no bar and no trade is lost or doubled.

The same market is run twice, once in peace and once with processes and PostgreSQL
killed at random. What both wrote up to the same market time must be equal.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.exceptions import RetryableError
from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.core.postgres.server import EmbeddedServer
from app.domain.process import ProcessName
from app.models.schema import upgrade
from tests.database_fixtures import temporary_folder
from tests.processes.stack import Stack, digest, running_stack

START = datetime(2025, 1, 5, 23, 51, tzinfo=timezone.utc)
END = START + timedelta(minutes=74)
SEED = 20250106
KILLS = 14
PATIENCE_SECONDS = 120.0
SETTINGS = {
    "CRYPTO_BOT__REPLAY__START": START.isoformat(),
    "CRYPTO_BOT__REPLAY__SEED": "5",
    "CRYPTO_BOT__REPLAY__SPEED": "180",
    # Only what is stored may decide here, never how fast this machine is.
    "CRYPTO_BOT__APPLICATION__MAX_DATA_LAG_SECONDS": "1000000",
    "CRYPTO_BOT__COLLECTOR__TAIL_GRACE_SECONDS": "86400",
    "CRYPTO_BOT__COLLECTOR__TIMEFRAMES": "[1m, 5m]",
    "CRYPTO_BOT__SNAPSHOT__TIMEFRAMES": "[5m]",
    "CRYPTO_BOT__FILTER__SYMBOLS": "[BTC/USDT, ETH/USDT, BNB/USDT, SOL/USDT, XRP/USDT,"
    " ADA/USDT, DOGE/USDT, AVAX/USDT]",
}
QUERIES = {
    "bars": """
        SELECT c.symbol, m.timeframe::text, m.timestamp, m.open, m.high, m.low,
               m.close, m.volume
        FROM market_data m JOIN cryptocurrencies c ON c.id = m.cryptocurrency_id
        WHERE m.timestamp >= :start AND m.timestamp < :end ORDER BY 1, 2, 3""",
    "decisions": """
        SELECT c.symbol, s.strategy, s.timeframe::text, s.bar_at, s.kind::text,
               s.reason::text, s.confidence, s.entry_price, s.stop_price,
               s.evidence::text
        FROM signals s JOIN cryptocurrencies c ON c.id = s.cryptocurrency_id
        WHERE s.bar_at < :end ORDER BY 1, 2, 3, 4""",
    "trades": """
        SELECT c.symbol, t.entry_at, t.entry_price, t.quantity, t.initial_stop_price,
               t.risk_amount, t.entry_fee, t.take_profits::text
        FROM simulated_trades t JOIN cryptocurrencies c ON c.id = t.cryptocurrency_id
        WHERE t.entry_at <= :end ORDER BY 2, 1""",
    "exits": """
        SELECT c.symbol, t.entry_at, e.sequence, e.exited_at, e.price, e.quantity,
               e.fee, e.pnl, e.reason::text
        FROM partial_exits e JOIN simulated_trades t ON t.id = e.trade_id
        JOIN cryptocurrencies c ON c.id = t.cryptocurrency_id
        WHERE e.exited_at <= :end ORDER BY 2, 1, 3""",
    "metrics": """
        SELECT as_of, trades, wins, losses, win_rate, profit_factor, expectancy,
               sharpe, realised_pnl, fees, equity, peak_equity, max_drawdown
        FROM performance_metrics WHERE as_of <= :end ORDER BY trades""",
}

pytestmark = pytest.mark.skipif(
    "TEST_DATABASE_URL" in os.environ, reason="kills its own PostgreSQL server"
)


@pytest.mark.slow
def test_killed_processes_and_database_lose_and_double_nothing() -> None:
    expected, _ = _run(kills=0)
    assert expected["bars"][0] > 500
    assert expected["trades"][0] > 3 and expected["exits"][0] > 3
    assert expected["metrics"][0] > 1

    found, logs = _run(kills=KILLS)

    assert found == expected, f"seed {SEED}\n{logs}"


def _run(kills: int) -> tuple[dict[str, tuple[int, str]], str]:
    """Run the market to END and past; the digests up to END, and the logs."""
    with _server() as server, temporary_folder() as folder:
        upgrade(server.url)
        database = Database(DatabaseSettings(), server.url)
        settings = SETTINGS | {"CRYPTO_BOT__REPLAY__SPEED": "0.001"}
        with running_stack(server.url, folder, settings) as stack:
            # 1. The universe is judged while the market's time stands still, so that
            # both runs begin with the same one.
            stack.start("replay-market")
            stack.start(ProcessName.MARKET_FILTER.value)
            _wait(lambda: _count(database, "universe_membership") > 0, stack)
            stack.stop()
        with running_stack(server.url, folder, SETTINGS) as stack:
            # 2. Everything runs; the victims fall at random moments.
            stack.start("replay-market")
            for name in ProcessName:
                stack.start(name.value)
            _kill_at_random(stack, server, kills)
            # 3. Whatever was missed is made up.
            _wait(lambda: _is_past_end(database), stack, _revive)
            stack.stop()
            logs = stack.logs()
        with database.session_scope() as session:
            found = {
                name: digest(session, query, start=START - timedelta(hours=2), end=END)
                for name, query in QUERIES.items()
            }
        database.dispose()
        return found, logs


@contextmanager
def _server() -> Iterator[EmbeddedServer]:
    with temporary_folder() as folder:
        access = connect_or_start(ServerLocation(folder), server_identity())
        assert access.server is not None
        try:
            yield access.server
        finally:
            access.server.stop()


def _kill_at_random(stack: Stack, server: EmbeddedServer, kills: int) -> None:
    randomness = random.Random(SEED)
    victims = ["postgres", "replay-market", *(name.value for name in ProcessName)]
    for number in range(kills):
        time.sleep(randomness.uniform(0.3, 1.8))
        # Everyone falls at least once.
        victim = (
            victims[number] if number < len(victims) else randomness.choice(victims)
        )
        if victim == "postgres":
            os.kill(server.pid, signal.SIGKILL)
            _wait(lambda: not server.is_alive(), stack)
            server.start()
        else:
            stack.kill(victim)
            stack.start(victim)


def _revive(stack: Stack) -> None:
    """Start whoever gave up while PostgreSQL was away, as `up` does."""
    for name in ProcessName:
        if stack.children[name.value].poll() is not None:
            stack.start(name.value)


def _count(database: Database, table: str) -> int:
    with database.session_scope() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def _is_past_end(database: Database) -> bool:
    """Whether bars, decisions and trades have all reached END."""
    query = text(
        "SELECT (SELECT min(watermark_at) FROM series_cursors),"
        " (SELECT min(evaluated_through) FROM scan_cursors),"
        " (SELECT min(stepped_through) FROM simulated_trades WHERE status = 'open')"
    )
    try:
        with database.session_scope() as session:
            reached = session.execute(query).one()
    except RetryableError:
        return False
    bars, decisions, trades = reached
    later = END + timedelta(minutes=5)
    return (
        bars is not None
        and decisions is not None
        and bars > later
        and decisions > later
        and (trades is None or trades > END)
    )


def _wait(
    condition: Callable[[], bool],
    stack: Stack,
    meanwhile: Callable[[Stack], None] = lambda stack: None,
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        meanwhile(stack)
        assert time.monotonic() < deadline, stack.logs()
        time.sleep(0.2)
