"""The hot reads touch few pages, on a table with many series, months and bars.

Pages are counted, not seconds: the same on every machine. PostgreSQL counts them for
the calls as the program makes them, not for a copy of their SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.models import MarketData, SeriesCursor
from app.models.bar_copy import COLUMNS, bar_tuples
from app.models.bars import to_microseconds
from app.models.binary_copy import copy_in
from app.models.keyed_bars import KeyedBars
from app.models.partitions import ensure_partitions
from tests.models.factories import add_market, add_run

SERIES = 500
BARS = 1_000
STALE = 5  # the first series stopped a month before the others
END = datetime(2025, 2, 1, 10, tzinfo=timezone.utc)  # windows span two months
STALE_END = END - timedelta(days=31)
MINUTE = timedelta(minutes=1)
FRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1)

TOUCHED = sa.text("""
SELECT coalesce(sum(pg_stat_get_xact_blocks_fetched(oid)), 0)::bigint
FROM pg_class WHERE relnamespace = 'public'::regnamespace
""")


@pytest.fixture(scope="module")
def table(module_database: Database) -> Database:
    """Bars in the order in which they are collected: a minute of all series a time."""
    with module_database.session_scope() as session:
        run = add_run(session)
        ids = [add_market(session, run, f"C{n}/USDT").id for n in range(SERIES)]
        ensure_partitions(
            session, "market_data", END - timedelta(days=62), END + timedelta(days=59)
        )
        fresh = np.array(ids[STALE:], np.int32)
        store_minutes(session, fresh, END - BARS * MINUTE)
        store_minutes(session, np.array(ids[:STALE], np.int32), STALE_END)
        for key in ids:
            last = STALE_END + BARS * MINUTE if key in ids[:STALE] else END
            for frame in FRAMES:
                session.add(make_cursor(key, frame, last - MINUTE, run))
            session.flush()
    with module_database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("VACUUM ANALYZE market_data, series_cursors"))
    return module_database


def store_minutes(session: Session, ids: np.ndarray, start: datetime) -> None:
    """`BARS` bars of each series, in order of time (which `store_bars` would sort)."""
    opens = to_microseconds(start) + np.arange(BARS) * 60_000_000
    bars = KeyedBars(
        np.tile(ids, BARS), np.repeat(opens, len(ids)), np.ones((5, len(ids) * BARS))
    )
    copy_in(session, "market_data", COLUMNS, bar_tuples(Timeframe.M1, bars, END))


def make_cursor(
    key: int, frame: Timeframe, last_bar_at: datetime, run: object
) -> SeriesCursor:
    return SeriesCursor(
        cryptocurrency_id=key,
        timeframe=frame,
        history_from=STALE_END,
        watermark_at=last_bar_at + MINUTE,
        first_bar_at=STALE_END,
        last_bar_at=last_bar_at,
        bars=BARS,
        run_id=run,
    )


def pages_touched(session: Session, read: Callable[[], object]) -> int:
    """Pages of tables and indexes that `read` asks for, cached or not."""
    # A worker of a parallel plan would count for itself.
    session.execute(sa.text("SET LOCAL max_parallel_workers_per_gather = 0"))
    before = session.scalar(TOUCHED)
    read()
    return int(session.scalar(TOUCHED) or 0) - int(before or 0)


def all_keys(session: Session) -> list[int]:
    return list(session.scalars(sa.select(SeriesCursor.cryptocurrency_id).distinct()))


def test_counting_pages_agrees_with_explain(table: Database) -> None:
    query = "SELECT sum(volume) FROM market_data WHERE timestamp >= '2025-02-01'"
    with table.session_scope() as session:
        touched = pages_touched(session, lambda: session.execute(sa.text(query)))
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}"
        root = session.execute(sa.text(explain)).scalar_one()[0]["Plan"]
    explained = root["Shared Hit Blocks"] + root["Shared Read Blocks"]
    assert explained > 1_000
    assert 0 <= touched - explained <= 10  # planning looks at a few pages, too


def test_the_latest_bar_of_every_series_costs_five_pages_each(table: Database) -> None:
    with table.session_scope() as session:
        keys = all_keys(session)
        found: dict[int, MarketData] = {}
        touched = pages_touched(
            session,
            lambda: found.update(
                MarketData.get_latest_of_each(session, keys, Timeframe.M1)
            ),
        )
        opens = [found[key].timestamp for key in sorted(found)]
    stale_last = STALE_END + (BARS - 1) * MINUTE
    assert opens == [stale_last] * STALE + [END - MINUTE] * (SERIES - STALE)
    assert touched <= 5 * SERIES


def test_windows_of_every_series_cost_six_thousand_pages(table: Database) -> None:
    with table.session_scope() as session:
        keys = all_keys(session)
        rows: list[int] = []

        def read() -> None:
            windows = MarketData.get_for_indicators(
                session, keys, Timeframe.M1, END - MINUTE, 300
            )
            rows.extend(len(window) for window in windows.values())

        touched = pages_touched(session, read)
    assert rows == [300] * (SERIES - STALE)
    assert touched <= 6_000


def test_windows_across_a_months_end_cost_no_more(table: Database) -> None:
    until = END - 500 * MINUTE  # 100 minutes of February and 200 of January
    with table.session_scope() as session:
        keys = all_keys(session)
        touched = pages_touched(
            session,
            lambda: MarketData.get_for_indicators(
                session, keys, Timeframe.M1, until, 300
            ),
        )
    assert touched <= 6_000


def test_one_series_alone_is_read_through_its_key(table: Database) -> None:
    with table.session_scope() as session:
        key = all_keys(session)[-1]
        start = END - 100 * MINUTE
        touched = pages_touched(
            session,
            lambda: MarketData.get_range(session, key, Timeframe.M1, start, END),
        )
    assert touched <= 100 + 10  # a page for each bar, as they lie in order of time
