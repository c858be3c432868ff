"""What a snapshot has no value of, and why: bars that are late, or not enough."""

from __future__ import annotations

import pytest

from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.models import MarketSnapshot
from tests.services.snapshot_world import SYMBOLS, World


@pytest.mark.parametrize("behind", ["ETH/USDT", "BTC/USDT"])
def test_mood_and_company_are_none_where_the_last_bar_is_missing(
    database: Database, behind: str
) -> None:
    world = World(database)
    world.store_walks(of={behind}, without=[0])
    world.store_walks(of=set(SYMBOLS) - {behind})
    world.take(views={})
    with database.session_scope() as session:
        ether = world.snapshot(session, "ETH/USDT")
        assert ether.btc_correlation is ether.btc_beta is None
        parts = ether.figures_of("sentiment")
        assert (parts["momentum"] is None) is (behind == "ETH/USDT")
        assert parts["breadth"] is not None, "the others are up to date"
        assert ether.status_of("sentiment.funding") == "undefined"


def test_without_any_last_bar_there_is_no_mood_at_all(database: Database) -> None:
    world = World(database)
    world.store_walks(without=[0])
    world.take(views={})
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        assert snapshot.sentiment is snapshot.btc_beta is None
        assert snapshot.indicators["5m"]["rsi_14"] is not None


@pytest.mark.parametrize("bars", [13, 20, 40])
def test_a_part_of_the_mood_warms_up_by_its_own_bars(
    database: Database, bars: int
) -> None:
    world = World(database)
    world.store_walks(bars=bars)
    world.take()
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        parts = snapshot.figures_of("sentiment")
        cold = {
            name for name in parts if f"sentiment.{name}" in snapshot.layout.warming_up
        }
        expected = {
            13: {"range_position", "volume", "accumulation"},
            20: {"range_position"},
            40: {"range_position"},
        }
        assert cold == expected[bars]
        assert {parts[name] for name in cold} == {None}


def test_a_figure_is_found_while_others_warm_up(database: Database) -> None:
    world = World(database)
    world.store_walks(bars=60)
    world.take()
    with database.session_scope() as session:
        for name in ("volatility.yang_zhang", "structure.range_top", "sma_20"):
            held = MarketSnapshot.get_with_specific_indicator(
                session, Timeframe.M5, name
            )
            assert len(held) == len(SYMBOLS), name
