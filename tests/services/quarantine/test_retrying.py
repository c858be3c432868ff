"""A refused item is judged again; what was right is stored, nothing is deleted."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.rejected import reject
from app.models import MarketData, MarketDataFinding, MarketDataGap, QuarantinedRow
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from app.services.quarantine.keeping import keep_rejected
from app.services.quarantine.retrying import (
    RetryVerdict,
    ask_again,
    plan_retries,
    record_retries,
)
from tests.exchange.fake_exchange import (
    START,
    FakeExchange,
    bar,
    body,
    ms,
    opened,
    ticker_entry,
)
from tests.models.factories import add_market, add_run, make_bars

M1 = Timeframe.M1
MINUTE = timedelta(minutes=1)
SINCE = START - timedelta(minutes=10, seconds=30)
SLOT = SINCE + 3 * MINUTE


@dataclass
class World:
    """A series of nine minutes that lacks the fourth."""

    session: Session
    run: uuid.UUID
    key: int

    @classmethod
    def build(cls, session: Session) -> World:
        run = add_run(session)
        world = cls(session, run, add_market(session, run).id)
        bars = make_bars(world.key, 9, SINCE).bars
        bars = bars[[0, 1, 2, 4, 5, 6, 7, 8]]
        answer = SeriesSlice(world.key, M1, bars, SINCE, SINCE + 9 * MINUTE, True)
        Ledger(run).store(session, [answer], START)
        return world

    def refuse(self, raw: Any, what: str = "candle", **more: Any) -> None:
        rule = more.pop("rule", RejectionRule.PRICE_NOT_FINITE)
        item = reject("BTC/USDT", what, rule, raw, **more)
        keep_rejected(self.session, "replay", [item], START, self.run)

    def retry(
        self, prepare: Callable[[FakeExchange], None] = lambda fake: None
    ) -> list[RetryVerdict]:
        cases = plan_retries(self.session, "replay", None)

        async def ask() -> list[RetryVerdict]:
            async with opened(max_attempts=1) as (fake, exchange):
                await exchange.fetch_markets()
                prepare(fake)
                return [await ask_again(exchange, case) for case in cases]

        verdicts = asyncio.run(ask())
        return record_retries(self.session, verdicts, Ledger(self.run), START, self.run)

    def row(self) -> QuarantinedRow:
        self.session.flush()
        self.session.expire_all()
        (row,) = self.session.scalars(select(QuarantinedRow))
        return row

    def close_at(self, slot: datetime) -> float | None:
        found = MarketData.get_range(self.session, self.key, M1, slot, slot + MINUTE)
        return found[0].close if found else None


def klines(rows: list[Any]) -> Callable[[FakeExchange], None]:
    def prepare(fake: FakeExchange) -> None:
        fake.always["klines"] = body(rows)

    return prepare


def test_a_good_bar_for_the_slot_replaces_the_refused_one(database: Database) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        raw = [*bar(SLOT)[:4], "NaN", *bar(SLOT)[5:]]
        world.refuse(raw, occurred_at=SLOT, timeframe=M1)
        (verdict,) = world.retry()
        assert verdict.outcome.value == "replaced"
        assert world.close_at(SLOT) == 101.0
        row = world.row()
        assert row.resolution == "replaced" and row.resolved_at and row.retried_at
        assert json.loads(row.raw) == raw
        assert not MarketDataGap.get_for_series(session, world.key, M1)
        assert world.retry() == []  # settled


def test_a_bar_that_todays_rules_take_is_stored(database: Database) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        world.refuse(bar(SLOT, 2_000.0), occurred_at=SLOT, timeframe=M1)
        (verdict,) = world.retry(klines([bar(SLOT + MINUTE)]))
        assert verdict.outcome.value == "stored"
        assert world.close_at(SLOT) == 2001.0
        found = session.scalars(select(MarketDataFinding)).all()
        assert (SLOT, "price_jump") in {(row.timestamp, row.rule) for row in found}
        assert world.row().resolution == "stored"


def test_what_is_still_impossible_stays_refused(database: Database) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        raw = [ms(SLOT), "100", "1", "98", "101", "5"]
        world.refuse(raw, occurred_at=SLOT, timeframe=M1)
        for _ in range(2):
            (verdict,) = world.retry(klines([raw, bar(SLOT + MINUTE)]))
            assert verdict.outcome.value == "still_refused"
            assert "high is below low" in verdict.explanation
            row = world.row()
            assert row.retried_at is not None and row.resolved_at is None
        assert world.close_at(SLOT) is None


def test_microseconds_name_the_slot_that_is_asked_for(database: Database) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        raw = [ms(SLOT) * 1000, *bar(SLOT)[1:]]
        rule = RejectionRule.TIME_NOT_MILLISECONDS
        world.refuse(raw, rule=rule, occurred_at=SLOT, timeframe=M1)
        (verdict,) = world.retry()
        assert verdict.outcome.value == "replaced" and world.close_at(SLOT) == 101.0


@pytest.mark.parametrize(
    "rule", [RejectionRule.CONTRADICTS_LATER_ROW, RejectionRule.TIME_IN_FUTURE]
)
def test_what_made_a_row_impossible_when_it_was_sent_remains(
    database: Database, rule: RejectionRule
) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        world.refuse(bar(SLOT, 300.0), rule=rule, occurred_at=SLOT, timeframe=M1)
        (verdict,) = world.retry(klines([bar(SLOT + MINUTE)]))
        assert verdict.outcome.value == "still_refused" and world.close_at(SLOT) is None


def test_a_slot_outside_the_history_is_left_to_a_backfill(database: Database) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        early = SINCE - 5 * MINUTE
        world.refuse([ms(early)], occurred_at=early, timeframe=M1)
        (verdict,) = world.retry()
        assert verdict.outcome.value == "outside_history"
        assert world.row().resolved_at is None and world.close_at(early) is None


def test_an_exchange_that_fails_settles_nothing(database: Database) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        world.refuse(bar(SLOT), occurred_at=SLOT, timeframe=M1)

        def down(fake: FakeExchange) -> None:
            fake.always["klines"] = body("down", 503)

        (verdict,) = world.retry(down)
        assert verdict.outcome.value == "exchange_failed"
        assert world.row().resolved_at is None and world.row().retried_at == START


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({}, "acceptable"), ({"lastPrice": "NaN"}, "still_refused")],
)
def test_a_ticker_is_judged_and_not_stored(
    database: Database, changes: dict[str, Any], outcome: str
) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        world.refuse(ticker_entry("BTC", **changes), "ticker")
        (verdict,) = world.retry()
        assert verdict.outcome.value == outcome
        assert (world.row().resolution == "acceptable") == (outcome == "acceptable")


@pytest.mark.parametrize(
    "raw", ["<html>", "not json", "[" * 50_000, "x" * 50_000, '{"a": 1}', "[[1, 2"]
)
@pytest.mark.parametrize("what", ["reply", "candle", "ticker", "market", "trade"])
def test_hopeless_items_stay_refused(database: Database, raw: str, what: str) -> None:
    with database.session_scope() as session:
        world = World.build(session)
        world.refuse(raw, what)
        (verdict,) = world.retry()
        assert verdict.outcome.value == "still_refused" and verdict.explanation
