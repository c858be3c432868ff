"""Stored bars are read again, and an answer without them is not taken for one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config.settings import CollectorSettings
from app.core.database import Database
from app.exchange.replies import CandlePage, CandleRequest
from app.models import Cryptocurrency, MarketDataFinding, SeriesCursor
from app.services.collection.collector import CollectionService, FetchAnswer
from app.services.collection.fetched import FetchedPage
from app.services.collection.planning import SeriesTask
from app.services.collection.rechecks import RecheckTries, plan_rechecks
from tests.services.series import M1, LedgerSeries, minute
from tests.services.world import T0, at


class Nobody:
    """An exchange that is never asked."""

    async def fetch_many(self, requests: Sequence[CandleRequest]) -> list[FetchAnswer]:
        raise AssertionError(requests)


def collecting(series: LedgerSeries) -> CollectionService:
    rules = CollectorSettings(timeframes=(M1,), recheck_delays_seconds=(60, 3600))
    return CollectionService("replay", Nobody(), rules, series.cursor.run_id)


def page(series: LedgerSeries, minutes: Sequence[int], now: float) -> FetchedPage:
    """The answer to a request from the first of these minutes on."""
    first = round(T0.timestamp() * 1000)
    request = CandleRequest("BTC/USDT", M1, at(minutes[0]), len(minutes))
    answer = CandlePage(
        symbol="BTC/USDT",
        timeframe=M1,
        since=request.since,
        covered_until=at(minutes[-1] + 1),
        server_now=at(now),
        open_ms=np.array([first + m * 60_000 for m in minutes], dtype="i8"),
        values=np.full((len(minutes), 5), 100.0),
    )
    return FetchedPage(SeriesTask(series.key, request, request.since), answer)


def vanished(session: Session) -> list[int]:
    """Minutes of the bars that are flagged."""
    found = session.scalars(select(MarketDataFinding)).all()
    return sorted(minute(row.timestamp) or 0 for row in found)


def test_each_page_of_a_series_is_searched_for_vanished_bars(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 40, now=40.1)
        pages = [
            page(series, [0, 1, 3, 4], now=90),
            page(series, [4, 5, 6, 7], now=90),
            page(series, [6, 7, 9, 10], now=90),
        ]

        collecting(series).check_answers(session, pages, at(90))

        assert vanished(session) == [2, 8]


def test_an_empty_answer_does_not_count_as_read_again(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 40, now=40.1)
        read = dict(series.cursor.rechecked_until)

        series.store([], 0, 40, now=110)
        assert series.cursor.rechecked_until == read == {"60": at(39).isoformat()}

        series.answer(0, 40, now=111)
        assert series.cursor.rechecked_until["3600"] == at(40).isoformat()


def test_bars_that_are_never_served_again_do_not_hold_up_later_ones(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 40, now=40.1)

        for now in (110, 111, 150, 171, 230):
            series.store([], 0, 40, now=now)
            assert "3600" not in series.cursor.rechecked_until
        series.store([], 0, 40, now=232)

        assert series.cursor.rechecked_until["3600"] == at(40).isoformat()


def test_a_page_read_again_in_vain_leaves_its_place_to_others(
    database: Database,
) -> None:
    with database.session_scope() as session:
        first, second = LedgerSeries(session), LedgerSeries(session, "ETH/USDT")
        first.answer(0, 40, now=40.1)
        second.answer(5, 40, now=40.1)
        markets = Cryptocurrency.get_by_ids(session, [first.key, second.key])
        cursors = SeriesCursor.get_for_markets(session, markets)
        rules = CollectorSettings(
            timeframes=(M1,), recheck_delays_seconds=(3600,), rechecks_per_pass=1
        )
        tries = RecheckTries()

        def asked(now: float) -> list[int]:
            tasks = plan_rechecks(
                list(markets.values()), cursors, rules, at(now), tries
            )
            return [task.cryptocurrency_id for task in tasks]

        assert asked(120) == [first.key], "the longest overdue"
        assert asked(121) == [second.key]
        assert asked(122) == []
        assert asked(125) == [first.key]
        assert asked(130) == [second.key]
        assert asked(134) == [], "it waits twice as long now"
        assert asked(135) == [first.key]
