"""Bars take few bytes, and moved to leaner tables with all they hold."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from app.core.database import Database
from app.models import schema
from app.models.ingest import store_bars
from tests.models.factories import MINUTE, T0, add_market, add_run, make_bars

SIZES = sa.text("""
SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
WHERE inhparent = 'market_data'::regclass
""")
BARS = sa.text("SELECT * FROM market_data_history ORDER BY 1, 2, 3, 9")


def test_a_bar_takes_at_most_130_bytes_with_its_index(database: Database) -> None:
    series, filled, live = 40, 2_000, 60
    with database.session_scope() as session:
        history = [make_bars(key, filled) for key in range(series)]
        store_bars(session, history, T0)
        for minute in range(filled, filled + live):
            newest = [make_bars(key, 1, T0 + minute * MINUTE) for key in range(series)]
            store_bars(session, newest, T0)
        size = int(session.scalar(SIZES) or 0)
    assert 110 < size / (series * (filled + live)) <= 130


def test_no_bar_has_a_null(database: Database) -> None:
    # One NULL column would add 8 bytes to each row, see `MarketDataIndicators`.
    with database.session_scope() as session:
        store_bars(session, [make_bars()], T0)
        nullable = sa.text(
            "SELECT attname FROM pg_attribute WHERE attnum > 0 AND NOT attnotnull"
            " AND attrelid = 'market_data_2025_01'::regclass"
        )
        assert session.scalars(nullable).all() == []


def test_bars_and_indicators_survive_the_move(
    empty_database: Database, empty_database_url: str
) -> None:
    schema.upgrade(empty_database_url)
    with empty_database.session_scope() as session:
        key = add_market(session, add_run(session)).id
    schema.downgrade(empty_database_url, "0014")
    with empty_database.session_scope() as session:
        batches = [make_bars(key, 50), make_bars(key, 50, T0 + timedelta(days=40))]
        store_bars(session, batches, T0)
        store_bars(session, [make_bars(key, 2, price=7.0)], T0 + MINUTE)
        note = (
            "UPDATE market_data SET indicators = '{\"rsi\": 50}' WHERE timestamp = :at"
        )
        session.execute(sa.text(note), {"at": T0 + 3 * MINUTE})
        before = session.execute(BARS).all()
    assert len(before) == 102
    schema.upgrade(empty_database_url)
    with empty_database.session_scope() as session:
        assert session.execute(BARS).all() == before
        kept = session.execute(sa.text("TABLE market_data_indicators")).all()
        assert [(row.timestamp, row.indicators) for row in kept] == [
            (T0 + 3 * MINUTE, {"rsi": 50})
        ]
        store_bars(session, [make_bars(key, 51)], T0 + 2 * MINUTE)  # writable as ever
    schema.downgrade(empty_database_url, "0014")
    with empty_database.session_scope() as session:
        query = "SELECT timestamp FROM market_data WHERE indicators IS NOT NULL"
        assert session.scalars(sa.text(query)).all() == [T0 + 3 * MINUTE]
