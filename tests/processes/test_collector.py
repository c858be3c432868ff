"""The collector stores what the exchange said, when it was final, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app.config.settings import CollectorSettings, ExchangeSettings, ReplaySettings
from app.core.clock import ManualClock
from app.core.database import Database
from app.core.exceptions import ExchangeError
from app.domain.gap import GapStatus
from app.domain.market import MarketStatus
from app.domain.process import ProcessName
from app.domain.timeframe import Timeframe
from app.exchange.service import ExchangeService
from app.models import (
    Cryptocurrency,
    MarketData,
    MarketDataFinding,
    MarketDataGap,
    MarketDataRevision,
    QuarantinedRow,
    SeriesCursor,
    UniverseMembership,
)
from app.models.knowledge import find_horizon
from app.processes.collector import Collector
from app.processes.heartbeat import Heartbeat
from app.services.collection.collector import CollectionService
from app.services.runs import RunRecord, record_run
from tests.processes.still_market import StillMarket, still_market

NOON = datetime(2025, 1, 5, 12, 0, 30, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
COLLECT = CollectorSettings(
    timeframes=(Timeframe.M1,), history_bars=30, settle_seconds=0.0
)


class Bench:
    """A collector of one market, with the market's time in the test's hands."""

    def __init__(self, database: Database, market: StillMarket) -> None:
        self.database, self.market = database, market
        self.clock = ManualClock(NOON)
        self.run_id: UUID = uuid4()
        self._admit_bitcoin()
        self.collector = self.open_collector(self.run_id)

    def open_collector(self, run_id: UUID) -> Collector:
        """A collector of this run on the database and the market."""
        exchange = ExchangeService(
            ExchangeSettings(max_attempts=1), self.clock, self.market.url
        )
        collector = Collector(
            self.clock,
            self.database,
            Heartbeat(self.database, ProcessName.COLLECTOR, run_id),
            exchange,
            CollectionService("replay", exchange, COLLECT, run_id),
            COLLECT,
        )
        collector.bridge.run(collector.open())
        return collector

    def another_run(self) -> UUID:
        """A stored run beside the first one."""
        run = RunRecord(uuid4(), "test", "test", {}, "0")
        with self.database.session_scope() as session:
            record_run(session, run, NOON)
        return run.run_id

    def _admit_bitcoin(self) -> None:
        run = RunRecord(self.run_id, "test", "test", {}, "0")
        with self.database.session_scope() as session:
            record_run(session, run, NOON)
            session.flush()
            bitcoin = Cryptocurrency(
                exchange="replay",
                symbol="BTC/USDT",
                exchange_symbol="BTCUSDT",
                base="BTC",
                quote="USDT",
                status=MarketStatus.TRADING,
                first_seen_at=NOON,
                last_seen_at=NOON,
                run_id=self.run_id,
            )
            session.add(bitcoin)
            session.flush()
            session.add(
                UniverseMembership(
                    cryptocurrency_id=bitcoin.id,
                    admitted=True,
                    reasons=[],
                    figures={},
                    valid_from=NOON,
                    run_id=self.run_id,
                )
            )

    def tick(self, after: timedelta = timedelta(0)) -> None:
        """One pass, `after` later by everybody's clock."""
        self.clock.advance(after.total_seconds())
        self.market.move_to(self.clock.now())
        self.collector.tick(self.clock.now())

    def bars(self) -> list[MarketData]:
        """Everything stored, oldest first."""
        with self.database.session_scope() as session:
            query = select(MarketData).order_by(MarketData.timestamp)
            return list(session.scalars(query))

    def gaps(self, status: GapStatus) -> list[tuple[datetime, datetime]]:
        """Recorded gaps of this status."""
        with self.database.session_scope() as session:
            query = (
                select(MarketDataGap)
                .where(MarketDataGap.status == status)
                .order_by(MarketDataGap.starts_at)
            )
            return [(gap.starts_at, gap.ends_at) for gap in session.scalars(query)]

    def watermark(self) -> datetime:
        """First slot not accounted for."""
        with self.database.session_scope() as session:
            return session.scalars(select(SeriesCursor)).one().watermark_at

    def close(self) -> None:
        """Close the exchange's connections."""
        self.collector.bridge.close(self.collector.close())


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A collector on a market of four symbols."""
    settings = ReplaySettings(markets=4, history_days=5, start=NOON)
    with still_market(settings, NOON) as market:
        with _closing(Bench(database, market)) as bench:
            yield bench


@contextmanager
def _closing(bench: Bench) -> Iterator[Bench]:
    try:
        yield bench
    finally:
        bench.close()


def slot(minutes: int) -> datetime:
    """Open time of a bar, counted from noon."""
    return NOON.replace(second=0) + minutes * MINUTE


def test_history_is_filled_and_the_unfinished_bar_left_out(bench: Bench) -> None:
    bench.tick()

    stored = [bar.timestamp for bar in bench.bars()]
    assert stored == [slot(minute) for minute in range(-30, 0)]
    assert bench.watermark() == slot(0)


def test_a_bar_is_stored_once_it_has_closed(bench: Bench) -> None:
    bench.tick()
    bench.tick(after=timedelta(seconds=29))
    assert bench.bars()[-1].timestamp == slot(-1)

    bench.tick(after=timedelta(seconds=1))

    newest = bench.bars()[-1]
    assert newest.timestamp == slot(0)
    assert newest.known_at == bench.clock.now()


def test_a_pass_repeated_changes_nothing(bench: Bench) -> None:
    bench.tick()
    before = [bar.to_dict() for bar in bench.bars()]

    bench.tick()

    assert [bar.to_dict() for bar in bench.bars()] == before


def test_a_corrected_bar_is_updated_and_its_old_value_kept(bench: Bench) -> None:
    bench.market.set_faults(
        {
            "kind": "corrected_bars",
            "symbol": "BTCUSDT",
            "start": slot(0).isoformat(),
            "end": slot(1).isoformat(),
            "settles_after_seconds": 70,
        }
    )
    bench.tick()
    bench.tick(after=MINUTE)
    first = bench.bars()[-1]
    assert first.timestamp == slot(0)

    bench.tick(after=MINUTE)

    (corrected,) = [bar for bar in bench.bars() if bar.timestamp == slot(0)]
    with bench.database.session_scope() as session:
        (old,) = session.scalars(select(MarketDataRevision)).all()
    assert (old.close, old.volume) == (first.close, first.volume)
    assert (corrected.close, corrected.volume) != (first.close, first.volume)
    assert old.known_from == first.known_at
    assert old.known_to == corrected.known_at == bench.clock.now()


def test_missing_bars_are_gaps_until_the_exchange_serves_them(bench: Bench) -> None:
    bench.market.set_faults(
        {
            "kind": "missing_bars",
            "symbol": "BTCUSDT",
            "start": slot(-10).isoformat(),
            "end": slot(-7).isoformat(),
        }
    )
    bench.tick()
    assert bench.gaps(GapStatus.OPEN) == [(slot(-10), slot(-7))]
    assert len(bench.bars()) == 27

    bench.market.set_faults()
    bench.tick(after=10 * MINUTE)

    assert bench.gaps(GapStatus.OPEN) == []
    assert bench.gaps(GapStatus.FILLED) == [(slot(-10), slot(-7))]
    stored = [bar.timestamp for bar in bench.bars()]
    assert stored == [slot(minute) for minute in range(-30, 10)]


@pytest.mark.parametrize("kind", ["html", "empty", "null", "truncate"])
def test_a_corrupt_reply_is_an_error_and_no_proof_of_absence(
    bench: Bench, kind: str
) -> None:
    bench.tick()
    bench.market.set_faults({"kind": kind, "path": "klines"})

    with pytest.raises(ExchangeError):
        bench.tick(after=20 * MINUTE)

    assert bench.gaps(GapStatus.OPEN) == []
    assert bench.watermark() == slot(0)
    bench.market.set_faults()
    bench.tick()
    assert bench.watermark() == slot(20)


def test_a_corrupt_reply_is_kept_with_its_text(bench: Bench) -> None:
    bench.market.set_faults({"kind": "html", "path": "klines"})
    with pytest.raises(ExchangeError):
        bench.tick()

    bench.collector.after_pass()

    with bench.database.session_scope() as session:
        (kept,) = QuarantinedRow.get_latest(session)
    assert kept.what == "reply" and "<html" in kept.raw.lower()


def test_an_old_correction_is_found_when_the_bar_is_read_again(bench: Bench) -> None:
    bench.market.set_faults(
        {
            "kind": "corrected_bars",
            "symbol": "BTCUSDT",
            "start": slot(0).isoformat(),
            "end": slot(1).isoformat(),
            "settles_after_seconds": 3_000,
        }
    )
    bench.tick()
    for _ in range(10):
        bench.tick(after=5 * MINUTE)
    with bench.database.session_scope() as session:
        assert session.scalars(select(MarketDataRevision)).all() == []

    # An hour after its close, and a quarter of that for other bars to come along.
    for _ in range(6):
        bench.tick(after=5 * MINUTE)

    with bench.database.session_scope() as session:
        (old,) = session.scalars(select(MarketDataRevision)).all()
    assert old.timestamp == slot(0)


def test_a_bar_the_exchange_no_longer_serves_is_flagged_and_stays(
    bench: Bench,
) -> None:
    bench.tick()
    bench.market.set_faults(
        {
            "kind": "missing_bars",
            "symbol": "BTCUSDT",
            "start": slot(-5).isoformat(),
            "end": slot(-4).isoformat(),
        }
    )

    bench.tick(after=90 * MINUTE)

    with bench.database.session_scope() as session:
        (found,) = session.scalars(select(MarketDataFinding)).all()
    assert (found.rule, found.timestamp) == ("bar_vanished", slot(-5))
    assert slot(-5) in [bar.timestamp for bar in bench.bars()]


def test_as_of_reads_are_settled_up_to_the_last_pass(bench: Bench) -> None:
    bench.tick()
    with bench.database.session_scope() as session:
        assert find_horizon(session) == bench.clock.now()


def test_a_second_collector_stands_by_until_the_first_one_ends(bench: Bench) -> None:
    bench.tick()
    other = bench.open_collector(bench.another_run())
    bench.clock.advance(60)
    bench.market.move_to(bench.clock.now())

    other.tick(bench.clock.now())
    assert other.is_standing_by
    assert bench.watermark() == slot(0)

    bench.collector.bridge.run(bench.collector.close())
    other.tick(bench.clock.now())
    assert bench.watermark() == slot(1)
    other.bridge.close(other.close())


def test_absence_is_confirmed_by_answers_an_hour_apart(bench: Bench) -> None:
    bench.market.set_faults(
        {
            "kind": "missing_bars",
            "symbol": "BTCUSDT",
            "start": slot(-10).isoformat(),
            "end": slot(-7).isoformat(),
        }
    )
    for _ in range(12):
        bench.tick(after=10 * MINUTE)
    assert bench.gaps(GapStatus.OPEN) == [(slot(-10), slot(-7))]

    bench.tick(after=60 * MINUTE)

    assert bench.gaps(GapStatus.CONFIRMED_ABSENT) == [(slot(-10), slot(-7))]
