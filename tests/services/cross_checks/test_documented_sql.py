"""The examples of docs/data-quality.md run and answer what they say."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from app.core.database import Database
from app.domain.finding_rule import FindingRule
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.rejected import reject
from app.models import MarketDataFinding
from app.models.ingest import store_bars
from app.services.cross_checks.findings import keep_findings
from app.services.cross_checks.implausible import find_implausible
from app.services.quarantine import keeping
from app.services.quarantine.keeping import keep_rejected
from app.services.quarantine.retrying import RetryOutcome
from tests.models.factories import T0, add_market, add_run, make_bars

PAGE = Path(__file__).resolve().parents[3] / "docs" / "data-quality.md"


def examples() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_each_example_runs_and_finds_what_is_there(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        bars = make_bars(key, 9)
        bars.bars["volume"] = 1.0
        bars.bars["close"][4] = 150.0
        store_bars(session, [bars], T0)
        now = T0 + timedelta(minutes=10)
        keep_findings(session, find_implausible([bars], now, run))
        differs = MarketDataFinding(
            cryptocurrency_id=key, timeframe=Timeframe.M5, timestamp=T0,
            rule="aggregate_close", stored={"close": 1.0},
            expected={"close": 2.0, "timeframe": "1m", "bars": 5},
            known_at=now, run_id=run,
        )  # fmt: skip
        keep_findings(session, [differs])
        rule, figures = RejectionRule.HIGH_BELOW_LOW, {"high": 1.0, "low": 2.0}
        count = keeping._MOST_REPLIES + 5
        items = [reject("BTC/USDT", "candle", rule, [1], figures=figures)]
        for number in range(count):
            page = f"<html>{number}"
            items.append(reject("", "reply", RejectionRule.REPLY_UNREADABLE, page))
        keep_rejected(session, "replay", items, T0, run)
        answers = [session.execute(text(sql)).all() for sql in examples()]
    refused, candles, overflow, findings, closes, plain = answers
    assert [(row.rule, row.items) for row in refused] == [
        ("reply_unreadable", keeping._MOST_REPLIES), ("high_below_low", 1)
    ]  # fmt: skip
    assert [(row.high, row.low) for row in candles] == [("1", "2")]
    assert [row.not_kept for row in overflow] == [5]
    assert {row.rule for row in findings} == {"close_outside_range", "aggregate_close"}
    assert [(row.stored, row.aggregate, row.made_of) for row in closes] == [
        (1.0, 2.0, "1m")
    ]
    assert len(plain) == 8 and key == 1


def test_the_page_names_every_rule_and_outcome() -> None:
    page = PAGE.read_text()
    for name in (*RejectionRule, *FindingRule, *(o.value for o in RetryOutcome)):
        known = str(name) in page or str(name).startswith("trades_")
        assert known, name
