"""What a snapshot takes on disk, and how long a boundary of 500 markets takes.

Run by `make bench`; docs/storage.md quotes it. The rows are those that the snapshotter
writes: the default replay market after warm-up, default time frames, indicators and
book depth. Beside them the same content is stored in other ways, in the same run. Sizes
are whole tables with TOAST and indexes, over the rows. Exits 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import resource
import sys
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import numpy as np
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.config.settings import ReplaySettings, SnapshotSettings
from app.core.clock import SystemClock
from app.core.database import Database
from app.core.exceptions import AppError
from app.domain.market import BookLevel, MarketStatus, OrderBook, Ticker
from app.domain.timeframe import Timeframe
from app.models import Cryptocurrency, MarketSnapshot
from app.models.bars import BAR_DTYPE, SeriesBars, to_microseconds
from app.models.ingest import store_bars
from app.replay import grid
from app.replay.books import depth
from app.replay.simulated import SimulatedMarket
from app.replay.source import BarWindow, Listing
from app.services.snapshot_rows import MarketView
from app.services.snapshots import SnapshotService
from benchmarks.scan import add_run
from benchmarks.support import (
    Aim,
    benchmark_database,
    console,
    judge,
    run_outside_transaction,
)

_AT = datetime(2025, 1, 6, tzinfo=timezone.utc)
_YEAR = timedelta(days=365)
_MOST_BYTES = 40e9 / 100 / (_YEAR / timedelta(minutes=5))
_MARKETS = 500
_monotonic = SystemClock().monotonic

_AS_JSON = """
SELECT to_jsonb(s) - 'figures' - 'layout_id' || jsonb_build_object('figures', (
    SELECT jsonb_object_agg(frame, found) FROM (
        SELECT coalesce(timeframe, 'market') AS frame,
               jsonb_object_agg(name, value) AS found
        FROM market_snapshot_figures AS f
        WHERE f.cryptocurrency_id = s.cryptocurrency_id AND f.timestamp = s.timestamp
        GROUP BY 1) AS frames)) AS content
FROM market_snapshots AS s
"""
_REALS = ("figures", "book_amounts")
_AS_DOUBLES = "SELECT {} FROM market_snapshots".format(
    ", ".join(
        f"{column.name}::double precision[]" if column.name in _REALS else column.name
        for column in MarketSnapshot.__table__.columns
    )
)
# The same content in other forms; long values are compressed by pglz, the only method
# that the embedded server has.
_VARIANTS = {
    "JSONB, names in each row": _AS_JSON,
    "arrays of doubles": _AS_DOUBLES,
}


def main() -> int:
    """Measure, print, and answer the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--boundaries", type=int, default=96, help="snapshots a market")
    parser.add_argument("--url", default="", help="an empty database to use instead")
    arguments = parser.parse_args()
    settings = SnapshotSettings()
    with benchmark_database(arguments.url) as database:
        size = measure_size(database, settings, arguments.boundaries)
        seconds = measure_time(database, settings)
    return judge(
        [
            Aim("bytes a snapshot, all in", size, _MOST_BYTES, False),
            Aim("GB a year, 100 markets", _gigabytes(size, 100), 40.0, False),
            Aim(f"seconds a boundary of {_MARKETS} markets", seconds, 30.0, False),
        ]
    )


def measure_size(
    database: Database, settings: SnapshotSettings, boundaries: int
) -> float:
    """Bytes a snapshot of the default market; printed beside other forms."""
    source = SimulatedMarket(ReplaySettings())
    now_ms = grid.to_ms(_AT + timedelta(minutes=5 * boundaries))
    with database.session_scope() as session:
        run_id = add_run(session)
        listings = source.listings(now_ms)
        markets = [
            _add_market(session, run_id, item.base, item.quote) for item in listings
        ]
    service = SnapshotService("replay", settings, run_id)
    bars = {
        frame: {
            market.id: _bars(
                source,
                item,
                frame,
                now_ms,
                service.builder.analysis.slots_on(frame) + boundaries,
            )
            for market, item in zip(markets, listings, strict=True)
        }
        for frame in service.builder.timeframes
    }
    for number in range(boundaries):
        boundary = _AT + timedelta(minutes=5 * number)
        views = {
            market.symbol: _view(source, item, boundary, settings.order_book_depth)
            for market, item in zip(markets, listings, strict=True)
        }
        windows = {
            frame: {
                key: window.until(frame.last_closed(boundary))
                for key, window in found.items()
            }
            for frame, found in bars.items()
        }
        batch = service.build(markets, views, windows, boundary, boundary)
        with database.session_scope() as session:
            service.store(session, batch)
    run_outside_transaction(database, "VACUUM ANALYZE market_snapshots")
    return _report_size(database, len(markets) * boundaries)


def measure_time(database: Database, settings: SnapshotSettings) -> float:
    """Seconds to read, build and store a boundary of so many markets."""
    with database.session_scope() as session:
        run_id = add_run(session)
        markets = [
            _add_market(session, run_id, f"N{number:03}", "USDT")
            for number in range(_MARKETS)
        ]
    service = SnapshotService("replay", settings, run_id)
    frames = service.builder.timeframes
    boundary = _AT + timedelta(days=31)
    with database.session_scope() as session:
        for frame in frames:
            slots = service.builder.analysis.slots_on(frame)
            batches = [_walk(market.id, frame, slots, boundary) for market in markets]
            for start in range(0, len(batches), 50):
                store_bars(session, batches[start : start + 50], boundary)
    run_outside_transaction(database, "VACUUM ANALYZE market_data")
    views = {market.symbol: _any_view(market.symbol) for market in markets}
    before, marks = _resident(), [_monotonic()]
    with database.session_scope() as session:
        windows = service.read(session, markets, boundary)
    marks.append(_monotonic())
    batch = service.build(markets, views, windows, boundary, boundary)
    marks.append(_monotonic())
    with database.session_scope() as session:
        assert service.store(session, batch) == _MARKETS
    marks.append(_monotonic())
    table = Table(
        title=f"A boundary of {_MARKETS} markets, {len(frames)} time frames each",
        title_justify="left",
    )
    for heading in ("", "seconds", "ms a market"):
        table.add_column(heading, justify="right" if heading else "left")
    steps = ("read the bars", "build the snapshots", "store them")
    for name, taken in zip(steps, np.diff(marks).tolist(), strict=True):
        table.add_row(name, f"{taken:.2f}", f"{taken / _MARKETS * 1e3:.2f}")
    console.print(table)
    console.print(f"Memory on top of the program's own: {_resident() - before:.0f} MB")
    return marks[-1] - marks[0]


def _report_size(database: Database, rows: int) -> float:
    with database.session_scope() as session:
        parts = {
            name: float(session.scalar(text(query)) or 0) / rows
            for name, query in {
                "rows": _sum("pg_relation_size(inhrelid)"),
                "TOAST": _sum(
                    "pg_total_relation_size(inhrelid) - pg_indexes_size(inhrelid)"
                    " - pg_relation_size(inhrelid)"
                ),
                "indexes": _sum("pg_indexes_size(inhrelid)"),
            }.items()
        }
        stored = session.scalar(text("SELECT count(*) FROM market_snapshots"))
        assert stored == rows
        layouts = session.scalar(text("SELECT count(*) FROM snapshot_layouts"))
        content = session.scalar(
            text("SELECT avg(pg_column_size(s.*)) FROM market_snapshots s")
        )
        sizes = {"as stored": sum(parts.values())}
        sizes |= _variants(session, rows, parts["indexes"])
    table = Table(title=f"Bytes a snapshot ({rows:,} rows)", title_justify="left")
    for heading in ("", "bytes", "GB a year, 100 markets", "500 markets"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, size in sizes.items():
        gigabytes = [f"{_gigabytes(size, count):.1f}" for count in (100, 500)]
        table.add_row(name, f"{size:,.0f}", *gigabytes)
    console.print(table)
    console.print(
        ", ".join(f"{name} {size:,.0f}" for name, size in parts.items())
        + f"; a row {content:,.0f}; {layouts} layouts"
    )
    return sizes["as stored"]


def _variants(session: Session, rows: int, indexes: float) -> dict[str, float]:
    """The same rows in other forms, with the same indexes."""
    sizes = {}
    for name, query in _VARIANTS.items():
        session.execute(text(f"CREATE TABLE variant AS {query}"))
        size = session.scalar(text("SELECT pg_total_relation_size('variant')"))
        session.execute(text("DROP TABLE variant"))
        sizes[name] = float(size or 0) / rows + indexes
    return sizes


def _sum(figure: str) -> str:
    return (
        f"SELECT sum({figure}) FROM pg_inherits"
        " WHERE inhparent = 'market_snapshots'::regclass"
    )


def _gigabytes(size: float, markets: int) -> float:
    return size * markets * (_YEAR / timedelta(minutes=5)) / 1e9


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _add_market(
    session: Session, run_id: UUID, base: str, quote: str
) -> Cryptocurrency:
    market = Cryptocurrency(
        exchange="replay",
        symbol=f"{base}/{quote}",
        exchange_symbol=base + quote,
        base=base,
        quote=quote,
        status=MarketStatus.TRADING,
        first_seen_at=_AT,
        last_seen_at=_AT,
        run_id=run_id,
    )
    session.add(market)
    session.flush()
    return market


def _bars(
    source: SimulatedMarket, item: Listing, frame: Timeframe, now_ms: int, count: int
) -> CandleWindow:
    """The newest `count` closed bars that the replay market serves."""
    rows = source.bars(item, frame, BarWindow(None, None, count + 1), now_ms)
    rows = rows[rows[:, 0] + frame.duration / timedelta(milliseconds=1) <= now_ms]
    prices = rows[:, 1:5] / 10.0**item.price_decimals
    volume = rows[:, 5] / 10.0**item.lot_decimals
    times = (rows[:, 0].astype(np.int64) * 1000).view("datetime64[us]")
    symbol = f"{item.base}/{item.quote}"
    open_, high, low, close = prices.T.copy()
    return CandleWindow(symbol, frame, times, open_, high, low, close, volume)


def _view(
    source: SimulatedMarket, item: Listing, at: datetime, levels: int
) -> MarketView:
    reply: Any = depth(source, item, levels, grid.to_ms(at))
    bids, asks = (
        tuple(BookLevel(float(price), float(amount)) for price, amount in reply[side])
        for side in ("bids", "asks")
    )
    return _seen(item.symbol, OrderBook(item.symbol, at, bids, asks))


def _any_view(symbol: str) -> MarketView:
    levels = [BookLevel(100.0 + step / 100, 1.5) for step in range(40)]
    bids, asks = tuple(levels[19::-1]), tuple(levels[20:])
    return _seen(symbol, OrderBook(symbol, _AT, bids, asks))


def _seen(symbol: str, book: OrderBook) -> MarketView:
    last = book.bids[0].price if book.bids else 1.0
    ticker = Ticker(symbol, _AT, last, None, None, None, None, None, 1e6 * last)
    return MarketView(ticker, book)


def _walk(key: int, frame: Timeframe, count: int, until: datetime) -> SeriesBars:
    rng = np.random.default_rng(key)
    bars = np.empty(count, BAR_DTYPE)
    step = int(frame.duration.total_seconds() * 1_000_000)
    first = to_microseconds(frame.shift(frame.last_closed(until), 1 - count))
    close = 100 * np.exp(np.cumsum(rng.normal(0, 2e-3, count)))
    bars["open_at"] = first + np.arange(count) * step
    bars["close"] = close
    bars["open"] = np.append(close[:1], close[:-1])
    bars["high"] = np.maximum(bars["open"], close) * 1.0005
    bars["low"] = np.minimum(bars["open"], close) * 0.9995
    bars["volume"] = rng.gamma(2, 10, count)
    return SeriesBars(key, frame, bars)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AppError as error:
        console.print(f"[red]{error}[/]")
        sys.exit(int(error.exit_code))
