"""Snapshots with a given indicator are found by index, and older ones were moved.

Pages are counted, as in `test_read_costs`.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.database import Database
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe
from app.models import MarketSnapshot, SnapshotLayout, schema
from app.models.partitions import ensure_partitions
from app.models.snapshot_layout import LayoutKey
from tests.models.factories import T0, add_market, add_run, make_snapshot
from tests.models.test_read_costs import pages_touched

ROWS = 30_000
COMMON = LayoutKey(("5m",), ("5m.rsi", "5m.rare", "5m.odd"), ("5m.rare",))
WARM = LayoutKey(("5m",), ("5m.rsi", "5m.rare", "5m.odd"), ())
FILL = sa.text("""
INSERT INTO market_snapshots (cryptocurrency_id, timestamp, known_at, layout_id,
    bar_at, regimes, figures, patterns, run_id)
SELECT :market, CAST(:start AS timestamptz) + n * interval '1 minute', :start,
    CASE WHEN n = 700 THEN :warm ELSE :common END,
    ARRAY[CAST(:start AS timestamptz)], ARRAY[NULL::market_regime],
    ARRAY[n, CASE WHEN n = 700 THEN 1 END, NULL]::real[]
        || array_fill(1.5::real, ARRAY[200]), '{}', :run
FROM generate_series(1, :rows) AS n
""")


@pytest.fixture(scope="module")
def table(module_database: Database) -> Database:
    """Two months of a market's snapshots; one, long ago, has a rare indicator."""
    with module_database.session_scope() as session:
        run = add_run(session)
        market = add_market(session, run).id
        ensure_partitions(
            session, "market_snapshots", T0, T0 + timedelta(minutes=ROWS + 60)
        )
        ids = SnapshotLayout.get_or_add(session, [COMMON, WARM])
        given = {"market": market, "start": T0, "run": run, "rows": ROWS}
        given |= {"common": ids[COMMON], "warm": ids[WARM]}
        session.execute(FILL, given)
    with module_database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("VACUUM ANALYZE market_snapshots"))
    return module_database


@pytest.mark.parametrize(
    ("name", "found", "pages"),
    [("rsi", 100, 160), ("rare", 1, 40), ("nothing", 0, 10)],
)
def test_an_indicator_is_found_by_index(
    table: Database, name: str, found: int, pages: int
) -> None:
    with table.session_scope() as session:
        held: list[MarketSnapshot] = []

        def read() -> None:
            held.extend(
                MarketSnapshot.get_with_specific_indicator(session, Timeframe.M5, name)
            )

        touched = pages_touched(session, read)
        assert len(held) == found
        times = [snapshot.timestamp for snapshot in held]
        assert times == sorted(times, reverse=True)
        if found == 1:
            assert times == [T0 + timedelta(minutes=700)]
        size = session.scalar(sa.text("SELECT sum(relpages) FROM pg_class"))
    assert touched <= pages < int(size or 0) / 20


def test_equal_layouts_are_stored_once(database: Database) -> None:
    with database.session_scope() as session:
        first = SnapshotLayout.get_or_add(session, [COMMON, WARM, COMMON])
        assert len(set(first.values())) == 2
        assert SnapshotLayout.get_or_add(session, [WARM]) == {WARM: first[WARM]}
        kept = SnapshotLayout.find_by_key(session, WARM)
        assert kept is not None and kept.key() == WARM


def test_figures_are_read_by_name(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        ensure_partitions(session, "market_snapshots", T0, T0)
        session.add(make_snapshot(session, key, run))
        session.flush()
        (snapshot,) = MarketSnapshot.get_latest(session, key)
        assert snapshot.indicators == {"5m": {"rsi": 61.5, "ema_200": None}}
        assert snapshot.status_of("5m.rsi") == "ok"
        assert snapshot.status_of("5m.ema_200") == "warming_up"
        assert snapshot.bars == {"5m": T0} and snapshot.regimes == [Regime.RANGING]
        assert snapshot.order_book == {
            "bids": [[99.5, 1.5], [99.0, 2.0]],
            "asks": [[100.5, 0.25]],
        }
        again = MarketSnapshot.from_dict(snapshot.to_dict())
        assert again.to_dict() == snapshot.to_dict()
        with pytest.raises(ValueError, match="macd"):
            snapshot.status_of("5m.macd")


OLD = {
    "order_book": {"bids": [[99.5, 1.25], [99.0, 2.0]], "asks": [[100.5, 0.25]]},
    "bars": {"1h": "2025-01-05T23:00:00+00:00", "5m": "2025-01-05T23:55:00+00:00"},
    "indicators": {
        "1h": {"rsi": 40.5, "atr": 1e300},
        "5m": {"rsi": 61.5, "sma_200": None, "tiny": 1e-60, "bb_2.5": 3.25},
    },
}


def test_older_snapshots_keep_their_content(
    empty_database: Database, empty_database_url: str
) -> None:
    schema.upgrade(empty_database_url)
    with empty_database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        ensure_partitions(session, "market_snapshots", T0, T0)
    schema.downgrade(empty_database_url, "0015")
    insert = sa.text("""
        INSERT INTO market_snapshots (cryptocurrency_id, timestamp, known_at, regime,
            bid_depth, order_book, bars, indicators, run_id)
        VALUES (:key, :at, :at, 'ranging', 1.5, CAST(:order_book AS jsonb),
            CAST(:bars AS jsonb), CAST(:indicators AS jsonb), :run)
    """)
    with empty_database.session_scope() as session:
        given = {name: json.dumps(value) for name, value in OLD.items()}
        session.execute(insert, given | {"key": key, "at": T0, "run": run})
        empty = {"order_book": None, "bars": "{}", "indicators": "{}"}
        later = {"key": key, "at": T0 + timedelta(minutes=5), "run": run}
        session.execute(insert, empty | later)
    schema.upgrade(empty_database_url)
    with empty_database.session_scope() as session:
        old, bare = MarketSnapshot.get_latest(session, key, 2)
        assert old.indicators["5m"] == OLD["indicators"]["5m"] | {"tiny": 0.0}
        # No real is that large, and nothing of it warmed up.
        assert old.indicators["1h"] == {"rsi": 40.5, "atr": None}
        assert old.status_of("1h.atr") == "undefined"
        assert old.status_of("5m.sma_200") == "warming_up"
        assert old.order_book == OLD["order_book"] and old.regime is Regime.RANGING
        assert old.bars["5m"] == T0 - timedelta(minutes=5) and old.bid_depth == 1.5
        assert (bare.indicators, bare.order_book) == ({}, None)
    schema.downgrade(empty_database_url, "0015")
    query = sa.text(
        "SELECT order_book, bars, indicators FROM market_snapshots ORDER BY timestamp"
    )
    with empty_database.session_scope() as session:
        back, empty_row = session.execute(query).all()
        assert back.order_book == OLD["order_book"] and back.bars == OLD["bars"]
        assert back.indicators["5m"] == OLD["indicators"]["5m"] | {"tiny": 0}
        assert tuple(empty_row) == (None, {}, {})
