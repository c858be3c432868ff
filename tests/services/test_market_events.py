"""Listings, delistings, renames and halts are kept as events, as they were seen."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.config.settings import FilterSettings
from app.core.database import Database
from app.domain.market import Market, MarketStatus
from app.domain.market_event import MarketEventKind
from app.exchange.rejected import RejectedItem
from app.exchange.replies import TickerBatch
from app.models import Cryptocurrency, MarketEvent
from app.services.shrink_refusals import accept_refused
from app.services.universe import UniverseChange, refresh_universe
from app.trading.market_filter import MarketFilter
from tests.models.factories import add_run
from tests.services.world import at

TRADING, HALTED = MarketStatus.TRADING, MarketStatus.HALTED
TEN = "ABCDEFGHIJ"


def refresh(
    session: Session,
    run: uuid.UUID,
    now: datetime,
    symbols: str,
    halted: str = "",
    names: Mapping[str, str] | None = None,
    refused: Sequence[RejectedItem] = (),
) -> UniverseChange:
    """One refresh of these markets; `names` gives the exchange's own ones."""
    markets = {
        symbol: Market(
            "replay",
            symbol,
            (names or {}).get(symbol, symbol.lower()),
            symbol,
            "USDT",
            HALTED if symbol in halted else TRADING,
        )
        for symbol in symbols
    }
    judge = MarketFilter(FilterSettings())
    batch = TickerBatch()
    return refresh_universe(session, "replay", markets, batch, judge, now, run, refused)


def events(session: Session, since: datetime | None = None) -> list[tuple[str, str]]:
    """Kind and symbol of each event, in order."""
    rows = MarketEvent.get_filtered(session, limit=1000)
    kept = [(e, s) for e, s in rows if since is None or e.known_at >= since]
    return sorted((event.kind.value, symbol or "") for event, symbol in kept)


def test_each_change_of_a_market_is_one_event(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        steps = [
            (TEN, "", [("listed", symbol) for symbol in TEN]),
            (TEN, "", []),
            (TEN, "C", [("halted", "C")]),
            (TEN[:9], "C", [("delisted", "J")]),
            (TEN[:9], "C", []),
            (TEN, "", [("relisted", "J"), ("resumed", "C")]),
            (TEN + "K", "K", [("halted", "K"), ("listed", "K")]),
            (TEN, "", [("delisted", "K")]),
            (TEN + "K", "K", [("halted", "K"), ("relisted", "K")]),
        ]
        for minute, (symbols, halted, expected) in enumerate(steps):
            refresh(session, run, at(minute), symbols, halted)
            assert events(session, at(minute)) == expected, minute


def test_a_rename_names_its_successor_and_ends_the_old_market(
    database: Database,
) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, at(0), TEN)
        refresh(session, run, at(1), TEN[:9] + "Z", names={"Z": "j"})
        find = Cryptocurrency.get_by_symbol
        old, new = find(session, "replay", "J"), find(session, "replay", "Z")
        assert events(session, at(1)) == [("renamed", "J")]
        _, renamed = MarketEvent.get_for_market(session, old.id)
        assert renamed.successor_id == new.id
        assert old.status is MarketStatus.DELISTED and new.status is TRADING


def test_an_unclear_rename_is_a_delisting_and_a_listing(database: Database) -> None:
    # Two new markets bear the old one's name; one that comes back was seen before.
    for names in ({"Y": "j", "Z": "j"}, {"Z": "other"}):
        with database.session_scope() as session:
            session.execute(sa.text("TRUNCATE cryptocurrencies CASCADE"))
            run = add_run(session)
            refresh(session, run, at(0), TEN)
            refresh(session, run, at(1), TEN[:9] + "".join(names), names=names)
            found = events(session, at(1))
        assert ("delisted", "J") in found
        assert [("listed", s) for s in sorted(names)] == found[1:]


def test_the_universe_can_be_rebuilt_from_its_events(database: Database) -> None:
    lists = [(TEN, ""), (TEN[:9], "A"), (TEN[1:] + "K", "B"), (TEN, "B")]
    with database.session_scope() as session:
        run = add_run(session)
        for minute, (symbols, halted) in enumerate(lists):
            refresh(session, run, at(minute), symbols, halted)
        states: dict[str, str] = {}
        rows = MarketEvent.get_filtered(session, limit=1000)
        order = ["listed", "relisted", "halted", "resumed", "delisted"]
        for event, symbol in sorted(
            rows, key=lambda row: (row[0].known_at, order.index(row[0].kind.value))
        ):
            assert symbol is not None
            states[symbol] = {
                MarketEventKind.HALTED: "halted",
                MarketEventKind.DELISTED: "delisted",
            }.get(event.kind, "trading")
        stored = session.scalars(sa.select(Cryptocurrency)).all()
        assert states == {row.symbol: row.status.value for row in stored}


def test_a_shrunk_list_is_refused_and_told_once(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, at(0), TEN)
        told = [refresh(session, run, at(n), TEN[:7]).refused for n in range(1, 5)]
        assert [shrink and shrink.is_new for shrink in told] == [True, *[False] * 3]
        assert events(session, at(1)) == [("shrink_refused", "")]
        # It grows back: the next collapse is another one.
        assert refresh(session, run, at(5), TEN).refused is None
        halted = refresh(session, run, at(6), TEN, halted=TEN[:5]).refused
        assert halted is not None and halted.is_new
        assert len(events(session, at(1))) == 2
        trading = sa.select(sa.func.count()).where(Cryptocurrency.status == TRADING)
        assert session.scalar(trading) == 10


def test_an_operator_confirms_what_was_lost_and_no_more(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, at(0), TEN)
        assert accept_refused(session, "replay", at(0)) is None
        refresh(session, run, at(1), TEN[:7])
        accepted = accept_refused(session, "replay", at(2))
        assert accepted is not None and accepted.lost == tuple("HIJ")
        # Fewer yet were not what was confirmed.
        assert refresh(session, run, at(3), TEN[:5]).refused is not None
        assert refresh(session, run, at(4), TEN[:7]).refused is not None
        accept_refused(session, "replay", at(5))
        change = refresh(session, run, at(6), TEN[:7])
        assert (change.refused, change.delisted) == (None, 3)
        assert events(session, at(6)) == [("delisted", s) for s in "HIJ"]
        assert accept_refused(session, "replay", at(7)) is None
        assert refresh(session, run, at(8), TEN[:6]).refused is None


def test_an_empty_list_is_never_accepted(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        refresh(session, run, at(0), "A")
        assert refresh(session, run, at(1), "").refused is not None
        accept_refused(session, "replay", at(2))
        assert refresh(session, run, at(3), "").refused is not None
