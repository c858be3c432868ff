"""Every admission and rejection is kept, with its reasons and when it held."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.config.settings import FilterSettings
from app.core.database import Database
from app.domain.market import Market, MarketStatus, Ticker
from app.domain.universe import RejectionReason
from app.domain.rejection import RejectionRule
from app.exchange.rejected import reject
from app.exchange.replies import TickerBatch
from app.models import Cryptocurrency, QuarantinedRow, UniverseMembership
from app.services.universe import UniverseChange, refresh_universe
from app.trading.market_filter import MarketFilter
from tests.models.factories import add_run
from tests.services.world import at


def refresh(
    session: Session,
    run: uuid.UUID,
    symbols: Iterable[str],
    now: datetime,
    quiet: Iterable[str] = (),
    **rules: float,
) -> UniverseChange:
    """One refresh; every market passes but the `quiet` ones, which do not trade."""
    markets, tickers = {}, {}
    for symbol in symbols:
        volume = 0.0 if symbol in quiet else 1e9
        markets[symbol] = Market(
            "replay", symbol, symbol, symbol, "USDT", MarketStatus.TRADING
        )
        tickers[symbol] = Ticker(symbol, now, 100, 99.99, 100, 105, 100, 1e7, volume)
    batch = TickerBatch(
        tickers, (reject("X", "ticker", RejectionRule.ITEM_IMPOSSIBLE, "raw"),)
    )
    market_filter = MarketFilter(FilterSettings(**rules))
    return refresh_universe(session, "replay", markets, batch, market_filter, now, run)


def history(session: Session, symbol: str) -> list[UniverseMembership]:
    market = Cryptocurrency.get_by_symbol(session, "replay", symbol)
    verdicts = select(UniverseMembership).filter_by(cryptocurrency_id=market.id)
    return list(session.scalars(verdicts.order_by(UniverseMembership.valid_from)))


def test_an_admission_and_a_rejection_follow_each_other(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        first = refresh(session, run, "AB", at(0))
        refresh(session, run, "AB", at(15), quiet="A")

        admitted, rejected = history(session, "A")
        assert (first.listed, first.admitted, first.changed) == (2, 2, 2)
        assert admitted.admitted and admitted.valid_from == at(0)
        assert admitted.valid_to == rejected.valid_from == at(15)
        assert rejected.reasons == [RejectionReason.VOLUME_TOO_LOW]
        assert rejected.figures["quote_volume_24h"] == 0.0
        assert rejected.valid_to is None


def test_the_same_verdict_again_writes_nothing(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, "AB", at(0), quiet="A")

        again = refresh(session, run, "AB", at(15), quiet="A")

        assert (again.changed, again.listed, again.rejected) == (0, 0, 1)
        assert session.scalar(select(func.count(UniverseMembership.id))) == 2
        assert session.scalar(select(func.count(QuarantinedRow.id))) == 1


def test_who_was_a_member_is_known_for_every_instant(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, "AB", at(0))
        refresh(session, run, "AB", at(15), quiet="A")
        refresh(session, run, "AB", at(30))

        def members(minute: float) -> str:
            found = UniverseMembership.get_members_at(session, "replay", at(minute))
            return "".join(market.symbol for market in found)

        assert [members(m) for m in (-1, 0, 14, 15, 29, 30)] == [
            "", "AB", "AB", "B", "B", "AB",
        ]  # fmt: skip


def test_a_market_that_vanished_is_delisted_once_and_stays(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, "ABCDE", at(0))
        gone = refresh(session, run, "ABCD", at(15))
        again = refresh(session, run, "ABCD", at(30))

        market = Cryptocurrency.get_by_symbol(session, "replay", "E")
        assert (gone.delisted, again.delisted, again.changed) == (1, 0, 0)
        assert market.status is MarketStatus.DELISTED
        assert market.delisted_at == at(15) and market.last_seen_at == at(0)
        last = history(session, "E")[-1]
        assert last.reasons == [RejectionReason.DELISTED] and not last.admitted


def test_a_market_that_comes_back_is_admitted_again(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        for minute, symbols in ((0, "ABCDE"), (15, "ABCD"), (30, "ABCDE")):
            refresh(session, run, symbols, at(minute))

        market = Cryptocurrency.get_by_symbol(session, "replay", "E")
        assert market.status is MarketStatus.TRADING and market.delisted_at is None
        assert [v.admitted for v in history(session, "E")] == [True, False, True]


@pytest.mark.parametrize("left", ["ABCDEFG", "", "XYZ"])
def test_a_reply_that_lost_too_many_markets_is_not_believed(
    database: Database, left: str
) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, "ABCDEFGHIJ", at(0))  # two of ten may go, three not

    with database.session_scope() as session:
        refused = refresh(session, run, left, at(15)).refused
        assert refused is not None and "at most 20% is believed" in str(refused)
        assert refused.lost == tuple(sorted(set("ABCDEFGHIJ") - set(left)))

    with database.session_scope() as session:
        members = UniverseMembership.get_members_at(session, "replay", at(16))
        assert len(members) == 10


def test_an_empty_listing_never_delists_the_only_market(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, "A", at(0))

        assert refresh(session, run, "", at(15)).refused is not None


def test_a_stored_market_capitalisation_is_judged(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, "AB", at(0), min_market_cap=1e6)
        Cryptocurrency.get_by_symbol(session, "replay", "A").market_cap = 5e5

        refresh(session, run, "AB", at(15), min_market_cap=1e6)

        last = history(session, "A")[-1]
        assert last.reasons == [RejectionReason.MARKET_CAP_TOO_LOW]
        assert len(history(session, "B")) == 1
