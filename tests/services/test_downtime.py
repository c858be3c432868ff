"""Downtime is told of the series that a collector collects, and of no others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from app.config.settings import CollectorSettings
from app.core.database import Database
from app.domain.gap import GapReason
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandleRequest
from app.models import Cryptocurrency, SeriesCursor
from app.services.collection.collector import CollectionService, FetchAnswer
from tests.models.factories import add_run
from tests.services.series import LedgerSeries
from tests.services.world import admit, at


class Silence:
    """An exchange that nobody asks."""

    async def fetch_many(self, requests: Sequence[CandleRequest]) -> list[FetchAnswer]:
        raise AssertionError("nothing is fetched at the start")


@pytest.mark.parametrize(
    ("is_admitted", "timeframe", "reason"),
    [
        (True, Timeframe.M1, GapReason.OUR_DOWNTIME),
        (True, Timeframe.H1, None),
        (False, Timeframe.M1, None),
    ],
)
def test_only_a_series_that_is_collected_was_down(
    database: Database,
    is_admitted: bool,
    timeframe: Timeframe,
    reason: GapReason | None,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, now=11)
        market = session.get_one(Cryptocurrency, series.key)
        if is_admitted:
            admit(session, market)
        service = CollectionService(
            market.exchange,
            Silence(),
            CollectorSettings(timeframes=(timeframe,)),
            add_run(session),
        )
        service.note_downtime(session, at(600))
        assert session.scalars(select(SeriesCursor)).one().pending_reason is reason
