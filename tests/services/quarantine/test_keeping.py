"""Refused items are kept once, with rule and figures, and never without bound."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config.settings import ExchangeSettings
from app.core.clock import ManualClock
from app.core.database import Database
from app.core.exceptions import CorruptReply
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.bar_rules import rejected_bar
from app.exchange.corrupt_replies import CorruptReplies
from app.exchange.rejected import RejectedItem, reject
from app.exchange.service import ExchangeService
from app.models import QuarantinedRow
from app.services.quarantine import keeping
from app.services.quarantine.keeping import KeptItems, keep_rejected, keep_replies
from app.services.quarantine.replies import opened_for_run
from tests.exchange.fake_exchange import START, body, fake_exchange
from tests.models.factories import T0, add_run

NAN = float("nan")
HOUR = timedelta(hours=1)


def items(count: int, first: int = 0) -> list[RejectedItem]:
    rule = RejectionRule.PRICE_NOT_FINITE
    return [reject("X", "ticker", rule, [n]) for n in range(first, first + count)]


def overflow(session: Session) -> list[int]:
    rows = QuarantinedRow.get_filtered(session)
    return [
        row.figures["not_kept"] for row in rows if row.what == "overflow" if row.figures
    ]


def test_an_item_is_kept_with_raw_text_rule_figures_and_time(
    database: Database,
) -> None:
    cells = [T0.timestamp() * 1e6, NAN, float("inf"), -1.0, 1.0, 5.0]
    item = rejected_bar(
        "BTC/USDT",
        Timeframe.M1,
        RejectionRule.TIME_NOT_MILLISECONDS,
        cells[:1],
        cells,
        T0,
    )
    with database.session_scope() as session:
        keep_rejected(session, "replay", [item], T0, add_run(session))
        (row,) = session.scalars(select(QuarantinedRow))
        assert (row.rule, row.what) == ("time_not_milliseconds", "candle")
        assert (row.timeframe, row.occurred_at) == (Timeframe.M1, T0)
        assert row.raw.startswith("[1736") and row.figures is not None
        assert row.figures["open"] == "NaN" and row.figures["high"] == "Infinity"
        assert row.figures["open_time_reads_as"] == "microseconds"
        assert "milliseconds" in row.figures["reason"]


@pytest.mark.parametrize("raw", ["a\x00b", "\ud800", ["\x00\ud800"], "x" * 100_000])
def test_whatever_text_came_is_stored(database: Database, raw: object) -> None:
    item = reject("S\x00", "trade", RejectionRule.ITEM_UNREADABLE, raw, reason="\x00")
    with database.session_scope() as session:
        assert keep_rejected(session, "replay", [item], T0, add_run(session)).kept == 1
        (row,) = session.scalars(select(QuarantinedRow))
        assert row.raw and len(row.raw) < 2_200


def test_the_same_item_is_kept_once(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        assert keep_rejected(session, "replay", [], T0, run) == KeptItems()
        assert keep_rejected(session, "replay", items(3), T0, run) == KeptItems(3)
        again = keep_rejected(session, "replay", items(4), T0 + HOUR, run)
        assert again == KeptItems(1, 3)


def test_a_flood_is_counted_beyond_a_bound(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_MOST_ITEMS", 10)
    with database.session_scope() as session:
        run = add_run(session)
        first = keep_rejected(session, "replay", items(25), T0, run)
        assert first == KeptItems(10, 0, 15)
        # What is kept already is no flood.
        assert keep_rejected(session, "replay", items(8), T0, run) == KeptItems(0, 8)
        second = keep_rejected(session, "replay", items(5, 100), T0, run)
        assert second == KeptItems(0, 0, 5) and overflow(session) == [20]
        # Another exchange, another rule and another hour have room of their own.
        assert keep_rejected(session, "other", items(3), T0, run).kept == 3
        later = keep_rejected(session, "replay", items(12, 200), T0 + HOUR, run)
        assert later == KeptItems(10, 0, 2)
        assert sorted(overflow(session)) == [2, 20]


def test_thousands_of_error_pages_make_few_rows(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        buffer = CorruptReplies()
        for minute in range(60):
            for page in range(100):
                text = f"<html>{minute} {page}</html>"
                buffer.keep("candles", "no JSON", text, "BTC/USDT", Timeframe.M1)
            keep_replies(
                session, "replay", buffer.take(), T0 + timedelta(minutes=minute), run
            )
        rows = session.scalars(select(QuarantinedRow)).all()
        kept = [row for row in rows if row.what == "reply"]
        assert len(kept) == 60 and overflow(session) == [6_000 - 60]
        assert len(rows) == 61


def test_a_command_keeps_the_corrupt_replies_it_had_also_when_it_fails(
    database: Database,
) -> None:
    with database.session_scope() as session:
        run = add_run(session)

    async def command() -> None:
        clock = ManualClock(START)
        async with fake_exchange(clock) as fake:
            service = ExchangeService(ExchangeSettings(max_attempts=1), clock, fake.url)
            fake.always["klines"] = body("<html>busy</html>")
            async with opened_for_run(service, database, clock, run) as exchange:
                await exchange.fetch_candles("BTC/USDT", Timeframe.M1, START, 5)

    with pytest.raises(CorruptReply):
        asyncio.run(command())
    with database.session_scope() as session:
        (row,) = session.scalars(select(QuarantinedRow))
        assert (row.what, row.raw) == ("reply", "<html>busy</html>")
