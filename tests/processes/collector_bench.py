"""A collector on a market whose time stands in the test's hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

from sqlalchemy import select

from app.config.settings import CollectorSettings, ExchangeSettings, ReplaySettings
from app.core.clock import ManualClock
from app.core.database import Database
from app.core.exceptions import ExchangeUnavailable
from app.domain.gap import GapStatus
from app.domain.market import MarketStatus
from app.domain.process import ProcessName
from app.domain.timeframe import Timeframe
from app.exchange.replies import CandleRequest
from app.exchange.service import ExchangeService
from app.models import (
    Cryptocurrency,
    MarketData,
    MarketDataGap,
    SeriesCursor,
    UniverseMembership,
)
from app.processes.collector import Collector
from app.processes.heartbeat import Heartbeat
from app.services.collection.collector import (
    CandleSource,
    CollectionService,
    FetchAnswer,
)
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
        self._record_run()
        self.admit("BTC")
        self.collector = self.open_collector(self.run_id)

    def open_collector(
        self,
        run_id: UUID,
        settings: CollectorSettings = COLLECT,
        wrap: Callable[[CandleSource], CandleSource] = lambda source: source,
    ) -> Collector:
        """A collector of this run on the database and the market."""
        exchange = ExchangeService(
            ExchangeSettings(max_attempts=1), self.clock, self.market.url
        )
        collector = Collector(
            self.clock,
            self.database,
            Heartbeat(self.database, ProcessName.COLLECTOR, run_id),
            exchange,
            CollectionService("replay", wrap(exchange), settings, run_id),
            settings,
        )
        collector.bridge.run(collector.open())
        return collector

    def another_run(self) -> UUID:
        """A stored run beside the first one."""
        run = RunRecord(uuid4(), "test", "test", {}, "0")
        with self.database.session_scope() as session:
            record_run(session, run, NOON)
        return run.run_id

    def _record_run(self) -> None:
        run = RunRecord(self.run_id, "test", "test", {}, "0")
        with self.database.session_scope() as session:
            record_run(session, run, NOON)

    def admit(self, base: str) -> None:
        """Let a market into the universe."""
        with self.database.session_scope() as session:
            market = Cryptocurrency(
                exchange="replay",
                symbol=f"{base}/USDT",
                exchange_symbol=f"{base}USDT",
                base=base,
                quote="USDT",
                status=MarketStatus.TRADING,
                first_seen_at=NOON,
                last_seen_at=NOON,
                run_id=self.run_id,
            )
            session.add(market)
            session.flush()
            session.add(
                UniverseMembership(
                    cryptocurrency_id=market.id,
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


class WithoutEther:
    """The source of a market that fails for one symbol, and what was asked of it."""

    def __init__(self, source: CandleSource) -> None:
        self._source = source
        self.asked: list[str] = []

    async def fetch_many(self, requests: Sequence[CandleRequest]) -> list[FetchAnswer]:
        self.asked += [request.symbol for request in requests]
        answers = await self._source.fetch_many(requests)
        down = ExchangeUnavailable("502")
        return [
            (request, down if request.symbol == "ETH/USDT" else answer)
            for request, answer in answers
        ]


@contextmanager
def open_bench(database: Database) -> Iterator[Bench]:
    """A collector on a market of four symbols."""
    settings = ReplaySettings(markets=4, history_days=5, start=NOON)
    with still_market(settings, NOON) as market:
        bench = Bench(database, market)
        try:
            yield bench
        finally:
            bench.close()
