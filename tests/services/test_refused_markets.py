"""A damaged entry of a market list is kept as evidence, and ends no market."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.market_event import MarketEventKind
from app.domain.rejection import RejectionRule
from app.exchange.rejected import RejectedItem, reject
from app.models import MarketEvent, QuarantinedRow
from tests.models.factories import add_run
from tests.services.test_market_events import TEN, events, refresh
from tests.services.world import at


def refused(raw: Any, symbol: str = "") -> RejectedItem:
    return reject(symbol, "market", RejectionRule.ITEM_UNREADABLE, raw)


def run_lists(
    session: Session, *lists: tuple[str, Sequence[RejectedItem]]
) -> uuid.UUID:
    """One refresh a minute of these markets and refused entries; the first is TEN."""
    run = add_run(session)
    refresh(session, run, at(0), TEN)
    for minute, (symbols, items) in enumerate(lists, start=1):
        change = refresh(session, run, at(minute), symbols, refused=items)
        assert change.refused is None
    return run


@pytest.mark.parametrize(
    "item",
    [
        refused({"name": "j", "filters": "none"}),
        refused({}, "J"),
        refused({}),
        refused(None),
        refused({"name": "a"}),
        refused({"name": "nobody's"}),
    ],
)
def test_a_damaged_entry_ends_no_market(database: Database, item: RejectedItem) -> None:
    # By the exchange's name, by the symbol; one that bears neither may be any.
    with database.session_scope() as session:
        run_lists(session, (TEN[:9], [item]), (TEN[:9], [item]), (TEN, []))
        assert events(session, at(1)) == []
        (kept,) = session.scalars(sa.select(QuarantinedRow))
        assert (kept.what, kept.raw, kept.known_at) == ("market", item.raw, at(1))


def test_what_is_missing_beside_it_is_gone(database: Database) -> None:
    with database.session_scope() as session:
        run_lists(session, (TEN[:8], [refused({"name": "j"})]), (TEN[:8], []))
        rows = session.scalars(sa.select(MarketEvent).order_by(MarketEvent.known_at))
        found = [row for row in rows if row.kind is MarketEventKind.DELISTED]
        assert [row.known_at for row in found] == [at(1), at(2)]
        assert events(session, at(1)) == [("delisted", "I"), ("delisted", "J")]


def test_many_damaged_entries_are_no_collapse(database: Database) -> None:
    items = [refused({"name": name.lower()}) for name in TEN[5:]]
    with database.session_scope() as session:
        run_lists(session, (TEN[:5], items))
        assert events(session, at(1)) == []


def test_an_entry_that_nobody_can_ever_read_keeps_no_market(
    database: Database,
) -> None:
    strange = [refused({"name": "strange"})]
    with database.session_scope() as session:
        run_lists(session, (TEN, strange), (TEN[:9], strange))
        assert events(session, at(1)) == [("delisted", "J")]


def test_the_same_damage_again_ends_no_market(database: Database) -> None:
    damaged = [refused({"name": "j"})]
    with database.session_scope() as session:
        run_lists(session, (TEN[:9], damaged), (TEN, []), (TEN[:9], damaged))
        assert events(session, at(1)) == []


def test_a_certain_rename_is_told_all_the_same(database: Database) -> None:
    with database.session_scope() as session:
        run = run_lists(session)
        new = TEN[:9] + "Z"
        refresh(session, run, at(1), new, names={"Z": "j"}, refused=[refused({})])
        assert events(session, at(1)) == [("renamed", "J")]
