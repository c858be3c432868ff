"""A pass of the market filter believes what the exchange's own list says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from app.config.settings import FilterSettings
from app.core.clock import ManualClock
from app.core.database import Database
from app.core.exceptions import CorruptReply
from app.models import MarketEvent, QuarantinedRow
from app.processes.async_bridge import AsyncBridge
from app.processes.heartbeat import Heartbeat
from app.processes.market_filter import MarketFilterProcess
from tests.exchange.fake_exchange import START, FakeExchange, body, opened, symbol_entry
from tests.models.factories import add_run


@contextmanager
def filtering(
    database: Database, rules: FilterSettings | None = None
) -> Iterator[tuple[FakeExchange, MarketFilterProcess, ManualClock]]:
    """The process, and its exchange, which answers in the process's own loop."""
    with database.session_scope() as session:
        run = add_run(session)
    clock = ManualClock(START)
    heartbeat = Heartbeat(database, MarketFilterProcess.name, run)
    opening = opened(clock, max_attempts=1)
    bridge = AsyncBridge()
    fake, exchange = bridge.run(opening.__aenter__())
    rules = rules or FilterSettings()
    process = MarketFilterProcess(clock, database, heartbeat, exchange, rules, run)
    process.bridge.close()
    process.bridge = bridge
    try:
        yield fake, process, clock
    finally:
        bridge.close(opening.__aexit__(None, None, None))


def test_a_damaged_entry_is_quarantined_and_its_market_not_gone(
    database: Database,
) -> None:
    entries = [symbol_entry("BTC"), symbol_entry("ETH", quoteAsset=None)]
    with filtering(database) as (fake, process, clock):
        process.tick(clock.now())
        fake.always["exchangeInfo"] = body({"symbols": entries})
        clock.advance(900)
        process.tick(clock.now())
    with database.session_scope() as session:
        found = MarketEvent.get_filtered(session)
        kinds = sorted((event.kind.value, symbol) for event, symbol in found)
        (kept,) = session.scalars(select(QuarantinedRow))
        assert (kept.what, kept.rule) == ("market", "item_unreadable")
    listed = [("listed", f"{base}/USDT") for base in ("BTC", "ETH", "SOL")]
    assert kinds == [("delisted", "SOL/USDT"), *listed]


def test_a_list_that_cannot_be_had_is_an_error_of_the_pass(database: Database) -> None:
    with filtering(database) as (fake, process, clock):
        process.tick(clock.now())
        fake.always["exchangeInfo"] = body("<html>")
        clock.advance(900)
        with pytest.raises(CorruptReply):
            process.tick(clock.now())


def test_a_configured_symbol_that_is_not_listed_is_told_with_the_nearest(
    database: Database,
) -> None:
    rules = FilterSettings(symbols=("BTCUSDT", "ETH/USDT"))
    with filtering(database, rules) as (_, process, clock):
        for _ in range(2):
            process.tick(clock.now())
            clock.advance(900)
        said = process.vitals.last_error
        assert said.startswith("filter.symbols: ") and "nearest: BTC/USDT" in said
        assert (process.vitals.errors, process.vitals.detail["unlisted"]) == (1, 1)
