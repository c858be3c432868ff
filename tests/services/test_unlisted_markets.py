"""A market known from files only is neither trading nor gone until it is listed."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.market import Market, MarketStatus
from app.models import Cryptocurrency, MarketDataGap, SeriesCursor
from app.services.market_history import register_market, store_history
from tests.models.factories import add_run
from tests.services.test_market_events import TEN, events, refresh
from tests.services.test_market_history import BTC, NOW, page


def register(session: Session, symbol: str) -> Cryptocurrency:
    """What a back-fill from files does for a market that nobody has seen."""
    market = Market("replay", symbol, symbol, symbol, "USDT", MarketStatus.TRADING)
    return register_market(session, market, NOW, add_run(session))


def test_a_market_from_files_is_never_found_gone(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        store_history(session, BTC, [page(0, 10)], 300, NOW, run)
        cursor = session.scalars(sa.select(SeriesCursor)).one()
        end = cursor.watermark_at
        for minute in range(3):
            refresh(session, run, NOW + timedelta(minutes=minute), TEN)
        assert events(session) == [("listed", symbol) for symbol in TEN]
        assert (cursor.closed_at, cursor.watermark_at) == (None, end)
        assert session.scalars(sa.select(MarketDataGap)).all() == []


def test_markets_from_files_do_not_make_a_list_look_short(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        for symbol in "XYZ":
            register(session, symbol)
        assert refresh(session, run, NOW, "A").refused is None
        assert refresh(session, run, NOW + timedelta(minutes=1), "A").refused is None
        assert events(session) == [("listed", "A")]


def test_a_market_from_files_is_listed_once_a_list_has_it(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        register(session, "K")
        for minute, symbols in enumerate([TEN, TEN + "K", TEN + "K", TEN]):
            now = NOW + timedelta(minutes=minute)
            refresh(session, run, now, symbols)
            expected = {1: [("listed", "K")], 3: [("delisted", "K")]}
            assert minute == 0 or events(session, now) == expected.get(minute, [])
