"""What a snapshot holds: everything as of its bars, and nothing that came later."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
import sqlalchemy as sa

from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.market_sentiment import MarketSentiment
from app.analysis.order_book import summarize_book
from app.analysis.patterns.recognition import patterns_at_last_bar
from app.analysis.service import IndicatorService
from app.analysis.structure.state import structure_state
from app.config.settings import SnapshotSettings
from app.core.database import Database
from app.core.exceptions import ConfigurationError
from app.domain.timeframe import Timeframe
from app.models import (
    ConfigurationHistory,
    MarketContextRow,
    MarketSnapshot,
    SnapshotLayout,
)
from app.services.snapshot_rows import MarketView, packed
from app.services.snapshots import SnapshotService
from tests.services.snapshot_world import (
    BOUNDARY,
    FRAMES,
    SYMBOLS,
    Exchange,
    World,
    book_of,
    look,
    stored_window,
    view_of,
)


def real(value: float | None) -> float | None:
    """The nearest number of 24 bits: what a column of reals can tell apart."""
    return None if value is None else float(np.float32(value))


def test_a_snapshot_is_what_its_bars_say(database: Database) -> None:
    world = World(database)
    world.store_walks()
    assert world.take() == len(SYMBOLS)
    with database.session_scope() as session:
        for symbol in SYMBOLS:
            snapshot = world.snapshot(session, symbol)
            for number, frame in enumerate(FRAMES):
                bar_at = snapshot.bars[frame.value]
                assert bar_at == frame.last_closed(BOUNDARY)
                window = stored_window(session, world.market(symbol), frame, bar_at)
                found = snapshot.indicators[frame.value]
                for name, value in IndicatorService().latest(window).items():
                    assert real(found[name]) == real(value) is not None, name
                for name, value in structure_state(window).figures().items():
                    assert real(found[f"structure.{name}"]) == real(value), name
                volatility = MarketAnalyzer().volatility(window)
                kept = found["volatility.yang_zhang"]
                assert real(kept) == real(volatility.yang_zhang)
                regime = MarketAnalyzer().regime(window).regime
                assert snapshot.regimes[number] is regime is not None
                patterns = patterns_at_last_bar(window).to_json()
                assert snapshot.patterns.get(frame.value, {}) == patterns
            assert snapshot.regime is snapshot.regimes[1]
            assert snapshot.layout.warming_up == []


def test_mood_and_company_are_kept_with_their_parts(database: Database) -> None:
    world = World(database)
    world.store_walks()
    world.take()
    analyzer, fast = MarketAnalyzer(), FRAMES[0]
    last = fast.last_closed(BOUNDARY)
    with database.session_scope() as session:
        windows = {
            market.symbol: stored_window(session, market, fast, last)
            for market in world.markets
        }
        snapshot = world.snapshot(session, "ETH/USDT")
        own, bitcoin = windows["ETH/USDT"], windows["BTC/USDT"]
        mood = MarketSentiment().score(
            own,
            summarize_book(book_of("ETH/USDT")),
            breadth=analyzer.breadth(windows),
        )
        assert real(snapshot.sentiment) == real(mood.score)
        parts = {n: real(p) for n, p in snapshot.figures_of("sentiment").items()}
        assert parts.pop("weight") == real(mood.weight)
        assert parts == {name: real(part) for name, part in mood.parts.items()}
        assert parts["order_book"] is not None and parts["taker_flow"] is None
        assert real(snapshot.btc_beta) == real(analyzer.btc_beta(own, bitcoin))
        correlation = analyzer.btc_correlation(own, bitcoin)
        assert real(snapshot.btc_correlation) == real(correlation) is not None
        assert world.snapshot(session, "BTC/USDT").btc_beta == pytest.approx(1)


def test_what_all_markets_share_is_kept_once(database: Database) -> None:
    world = World(database)
    world.store_walks()
    world.take()
    world.take()  # again: nothing changes
    with database.session_scope() as session:
        rows = MarketContextRow.get_at(session, "replay", BOUNDARY)
        assert set(rows) == set(FRAMES)
        for frame, row in rows.items():
            last = frame.last_closed(BOUNDARY)
            windows = {
                m.symbol: stored_window(session, m, frame, last) for m in world.markets
            }
            breadth = MarketAnalyzer().breadth(windows)
            assert (row.bar_at, row.breadth) == (last, breadth.score)
            assert row.advancing == breadth.advancing
            impulse = MarketAnalyzer().btc_impulse(windows["BTC/USDT"])
            assert row.btc_impulse_atr == impulse.size_atr is not None
        for model, count in ((MarketContextRow, 2), (MarketSnapshot, 3)):
            query = sa.select(sa.func.count()).select_from(model)
            assert session.scalar(query) == count


def test_a_late_bar_is_not_seen(database: Database) -> None:
    world = World(database)
    world.store_walks(without=[0])
    world.take()
    late = BOUNDARY + timedelta(minutes=2)
    ether = world.market("ETH/USDT")
    with database.session_scope() as session:
        world.store_walk(session, ether, Timeframe.M5, 700, known_at=late)
    world.take(known_at=late)  # a restart must not rewrite what was known
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        before = FRAMES[0].shift(FRAMES[0].last_closed(BOUNDARY), -1)
        assert snapshot.bars["5m"] == before and snapshot.known_at < late
        known = IndicatorService().latest(
            stored_window(session, ether, Timeframe.M5, before)
        )
        since = IndicatorService().latest(
            stored_window(session, ether, Timeframe.M5, Timeframe.M5.shift(before, 1))
        )
        kept = snapshot.indicators["5m"]["rsi_14"]
        assert real(kept) == real(known["rsi_14"])
        assert real(since["rsi_14"]) != real(known["rsi_14"])


def test_warming_up_is_null_and_marked_and_not_undefined(database: Database) -> None:
    world = World(database)
    world.store_walks(bars=60)
    world.take(views={})
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        cold = IndicatorService().warming_up(
            stored_window(
                session,
                world.market("ETH/USDT"),
                Timeframe.M5,
                Timeframe.M5.last_closed(BOUNDARY),
            )
        )
        assert {"rsi_14", "ema_50"} <= set(cold) and "sma_20" not in cold
        for name, value in snapshot.indicators["5m"].items():
            if name in IndicatorService().requirements():
                status = "warming_up" if name in cold else "ok"
                assert snapshot.status_of(f"5m.{name}") == status
                assert (value is None) is (name in cold)
        # No book was had: that part never had to warm up.
        assert snapshot.status_of("sentiment.order_book") == "undefined"
        assert snapshot.regimes == [None, None] and snapshot.btc_beta is None
        assert {"5m.regime.ema_slope", "btc_beta"} <= set(snapshot.layout.warming_up)


def test_a_market_without_any_bar_has_a_snapshot(database: Database) -> None:
    world = World(database)
    assert world.take() == 3
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ADA/USDT")
        assert snapshot.bars == {"5m": None, "1h": None}
        assert snapshot.indicators["5m"]["window.bars"] == 0
        assert snapshot.last_price == 100.0 and snapshot.patterns == {}
        assert session.scalar(sa.select(sa.func.count(SnapshotLayout.id))) == 1


def test_gaps_are_told_and_do_not_leave_a_series_warming_up(database: Database) -> None:
    world = World(database)
    world.store_walks(without=[7, 30, 31])
    world.take()
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        found = snapshot.indicators["5m"]
        assert found["window.missing_bars"] == 3
        assert found["window.gap_age"] == 7  # bars after the newest hole
        assert found["window.bars"] == world.service.builder.analysis.bars_needed_on(
            Timeframe.M5
        )
        assert found["sma_200"] is not None
        assert snapshot.layout.warming_up == []


def test_a_run_keeps_what_its_figures_need(database: Database) -> None:
    world = World(database, indicators={"rsi": {"period": 9}, "obv": None})
    world.store_walks()
    world.take()
    with database.session_scope() as session:
        run = ConfigurationHistory.find_by_run_id(session, world.run_id)
        assert run is not None and run.requirements is not None
        assert set(run.requirements) == {"5m", "1h"}
        needs = run.requirements["5m"]
        assert needs["rsi_9"]["parameters"] == {"period": 9}
        assert needs["rsi_9"]["bars_needed"] > 9
        assert needs["obv_200"]["anchor"] == "first of the last 200 bars"
        assert needs["structure.trend"]["bars_needed"] == 500
        names = {
            name.removeprefix("5m.")
            for name in world.snapshot(session, "ADA/USDT").layout.names
            if name.startswith("5m.") and not name.startswith("5m.window.")
        }
        assert names == set(needs)


def test_an_unknown_indicator_is_refused_with_the_nearest() -> None:
    settings = SnapshotSettings(indicators={"rsj": None})
    with pytest.raises(ConfigurationError, match="'rsj'; nearest: rsi"):
        SnapshotService("replay", settings, uuid4())


def test_the_book_is_kept_exactly(database: Database) -> None:
    world = World(database)
    world.take()
    with database.session_scope() as session:
        snapshot, book = world.snapshot(session, "BTC/USDT"), book_of("BTC/USDT")
        kept = snapshot.order_book
        assert kept is not None
        for side, levels in (("bids", book.bids), ("asks", book.asks)):
            expected = [[level.price, level.amount] for level in levels]
            assert kept[side] == expected
        assert (snapshot.bid, snapshot.ask) == (99.95, 100.05)
        rows = session.execute(
            sa.text(
                "SELECT side, level, price FROM market_snapshot_book"
                " WHERE cryptocurrency_id = :id ORDER BY side, level"
            ),
            {"id": snapshot.cryptocurrency_id},
        ).all()
        assert rows[0] == ("ask", 1, 100.05) and rows[15] == ("bid", 1, 99.95)
        assert len(rows) == 35


def test_sessions_are_flagged(database: Database) -> None:
    world = World(database)
    world.take()
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "BTC/USDT")  # a Saturday, 14:35 UTC
        flags = (snapshot.is_asia, snapshot.is_london, snapshot.is_new_york)
        assert flags == (False, True, True) and snapshot.is_weekend


def test_a_failing_market_loses_only_itself(database: Database) -> None:
    world, exchange = World(database), Exchange(failing="BTC/USDT")
    views = look(world, exchange)
    assert views["BTC/USDT"].book is None and views["BTC/USDT"].ticker is not None
    assert views["ETH/USDT"].book == book_of("ETH/USDT")
    # One request a market and one for all: no trades unless asked for.
    assert len(exchange.asked) == 1 + len(SYMBOLS)
    world.take(views=views)
    with database.session_scope() as session:
        assert world.snapshot(session, "BTC/USDT").order_book is None


def test_takers_count_where_they_are_asked_for(database: Database) -> None:
    world, exchange = World(database, taker_trades=50), Exchange()
    views = look(world, exchange)
    assert "trades ETH/USDT 50" in exchange.asked
    world.take(views=views)
    with database.session_scope() as session:
        parts = world.snapshot(session, "ETH/USDT").figures_of("sentiment")
        assert parts["taker_flow"] == 0.5  # three bought, one sold


def test_figures_can_be_read_by_name_in_sql(database: Database) -> None:
    world = World(database)
    world.store_walks(bars=60)
    world.take()
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        query = sa.text(
            "SELECT snapshot_indicator(s, '5m', 'sma_20'),"
            " snapshot_indicator(s, '5m', 'ema_50'),"
            " snapshot_indicator(s, '5m', 'nothing')"
            " FROM market_snapshots s WHERE cryptocurrency_id = :id"
        )
        given = {"id": snapshot.cryptocurrency_id}
        expected = snapshot.indicators["5m"]["sma_20"]
        assert session.execute(query, given).one() == (expected, None, None)
        view = sa.text(
            "SELECT timeframe, name, value, status FROM market_snapshot_figures"
            " WHERE cryptocurrency_id = :id"
        )
        rows = {(r.timeframe, r.name): r for r in session.execute(view, given)}
        assert len(rows) == len(snapshot.figures)
        assert rows["5m", "sma_20"][2:] == (expected, "ok")
        assert rows["5m", "ema_50"][2:] == (None, "warming_up")
        assert rows[None, "sentiment.funding"].status == "undefined"


def test_an_exchange_that_says_nothing_is_recorded_as_that(database: Database) -> None:
    world = World(database)
    world.take(views={"ETH/USDT": MarketView(None, None), "BTC/USDT": view_of("x")})
    with database.session_scope() as session:
        snapshot = world.snapshot(session, "ETH/USDT")
        assert (snapshot.last_price, snapshot.bid, snapshot.bid_levels) == (None,) * 3


@pytest.mark.parametrize(
    ("given", "kept"),
    [(1e39, None), (-1e300, None), (float("nan"), None), (1e-60, 0.0), (None, None)],
)
def test_reals_hold_what_they_can(given: float | None, kept: float | None) -> None:
    assert packed([given, 0.1]) == [kept, float(np.float32(0.1))]


def test_the_smallest_and_largest_figures_can_be_stored(database: Database) -> None:
    figures = packed([1e-45, 3.4e38, -1.2e-40, 1e12])
    with database.session_scope() as session:
        query = sa.text("SELECT CAST(:figures AS real[])")
        assert session.scalar(query, {"figures": figures}) == pytest.approx(figures)
