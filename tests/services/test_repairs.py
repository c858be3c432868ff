"""Recorded gaps are asked for again, ever more rarely."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config.settings import CollectorSettings, Settings
from app.core.database import Database
from app.core.exceptions import UnknownSymbol
from app.domain.gap import GapStatus
from app.exchange.replies import CandleRequest
from app.models import Cryptocurrency, MarketDataGap
from app.services.collection.collector import CollectionService, FetchAnswer
from app.services.collection.repairs import release_repairs
from tests.models.factories import add_market, add_run, make_gap
from tests.services.world import admit, at


class Nobody:
    """An exchange that knows no symbol."""

    async def fetch_many(self, requests: Sequence[CandleRequest]) -> list[FetchAnswer]:
        return [(request, UnknownSymbol(request.symbol)) for request in requests]


def service(market: Cryptocurrency, **settings: object) -> CollectionService:
    rules = CollectorSettings.model_validate(settings)
    return CollectionService("replay", Nobody(), rules, market.run_id)


def gapped(session: Session) -> Cryptocurrency:
    """A market with a gap of two slots noticed at minute 0."""
    market = add_market(session, add_run(session))
    session.add(make_gap(market.id, market.run_id, at(0)))
    session.flush()
    return market


def test_a_gap_is_asked_for_at_ever_longer_intervals(database: Database) -> None:
    with database.session_scope() as session:
        collector = service(gapped(session))

        tried = [m for m in range(0, 80) if collector.plan_repairs(session, at(m))]

        # Five minutes after it was noticed, then 10, 20 and 40 minutes apart.
        assert tried == [5, 15, 35, 75]


def test_a_repair_asks_for_the_missing_slots_and_the_bars_beside_them(
    database: Database,
) -> None:
    with database.session_scope() as session:
        collector = service(gapped(session))

        (task,) = collector.plan_repairs(session, at(9))

        # Two slots, the bar after them and the one that is not closed.
        assert (task.request.since, task.request.limit) == (at(0), 4)
        assert task.request.symbol == "BTC/USDT"


def test_a_gap_that_another_writer_fills_is_not_waited_for(database: Database) -> None:
    with database.session_scope() as session:
        collector = service(gapped(session))

    with database.session_scope() as back_fill:
        back_fill.delete(back_fill.scalars(select(MarketDataGap)).one())
        back_fill.flush()
        with database.session_scope() as session:
            assert collector.plan_repairs(session, at(9)) == []

    with database.session_scope() as session:
        assert collector.plan_repairs(session, at(10)) == []


def test_a_gap_whose_absence_another_writer_confirms_is_left_to_it(
    database: Database,
) -> None:
    with database.session_scope() as session:
        market = gapped(session)
        service(market).plan_repairs(session, at(9))

    with database.session_scope() as back_fill:
        gap = back_fill.scalars(select(MarketDataGap)).one()
        gap.status, gap.resolved_at = GapStatus.CONFIRMED_ABSENT, at(10)
        back_fill.flush()
        with database.session_scope() as session:
            release_repairs(session, {(market.id, gap.timeframe)})

    with database.session_scope() as session:
        kept = session.scalars(select(MarketDataGap)).one()
        assert kept.status is GapStatus.CONFIRMED_ABSENT


def test_an_admitted_market_is_planned_until_it_is_rejected(
    database: Database,
) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        market, other = (add_market(session, run, f"{n}/USDT") for n in "AB")
        admit(session, market)

        tasks = service(market, timeframes=["1m"], history_bars=7).plan(session, at(60))

        (task,) = tasks
        assert task.cryptocurrency_id == market.id != other.id
        assert task.expected_from == at(52), "seven closed bars, settled at 59:58"


def test_a_step_frame_that_cuts_a_close_is_refused() -> None:
    with pytest.raises(ValueError, match="simulation.step_timeframe: 15m"):
        Settings.model_validate({"simulation": {"step_timeframe": "15m"}})

    assert Settings.model_validate({"simulation": {"step_timeframe": "5m"}})
