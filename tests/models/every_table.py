"""One row and more in every table."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.orm import Session

from app.domain.market_event import MarketEventKind
from app.domain.process import ProcessState
from app.domain.timeframe import Timeframe
from app.domain.trade import ExitReason
from app.domain.universe import RejectionReason
from app.models import (
    KnowledgeHorizon,
    MarketData,
    MarketDataFinding,
    MarketDataIndicators,
    MarketEvent,
    PartialExit,
    ProcessHeartbeat,
    ProcessLease,
    QuarantinedRow,
    RateBudget,
    ScanCursor,
    UniverseMembership,
)
from app.models.ingest import store_bars
from app.models.partitions import ensure_partitions
from app.models.series_lock import lock_cursors
from tests.models.factories import (
    T0,
    add_market,
    add_run,
    make_bars,
    make_context,
    make_finding,
    make_gap,
    make_metrics,
    make_refused,
    make_signal,
    make_snapshot,
    make_trade,
)


def fill_every_table(session: Session) -> None:
    """At least one row in each table, and a superseded bar."""
    run = add_run(session)
    market = add_market(session, run)
    signal = make_signal(market)
    session.add(signal)
    session.flush()
    trade = make_trade(signal)
    session.add(trade)
    session.flush()
    for price in (100.0, 101.0):
        store_bars(session, [make_bars(market.id, 3, price=price)], T0)
    ensure_partitions(session, "market_snapshots", T0, T0)
    key, timeframe = market.id, Timeframe.M1
    lock_cursors(session, {(key, timeframe): T0}, run)
    session.add_all(
        [
            UniverseMembership(
                cryptocurrency_id=key,
                admitted=False,
                reasons=[RejectionReason.SPREAD_TOO_WIDE],
                figures={"spread_bps": 31.0},
                valid_from=T0,
                run_id=run,
            ),
            make_gap(key, run),
            make_snapshot(session, key, run),
            make_context(run),
            ScanCursor(
                strategy="momentum",
                timeframe=timeframe,
                inception_at=T0,
                evaluated_through=T0,
                run_id=run,
            ),
            PartialExit(
                trade_id=trade.id,
                sequence=1,
                exited_at=T0,
                price=Decimal("102"),
                quantity=Decimal("0.8"),
                fee=Decimal("0.08"),
                pnl=Decimal("1.1"),
                reason=ExitReason.TAKE_PROFIT,
                run_id=run,
            ),
            make_metrics(trade),
            ProcessHeartbeat(
                process="collector",
                pid=1,
                host="here",
                state=ProcessState.RUNNING,
                started_at=T0,
                beat_at=T0,
                real_beat_at=T0,
                run_id=run,
            ),
        ]
    )
    session.add_all(
        [
            KnowledgeHorizon(id=1, settled_until=T0),
            MarketEvent(
                exchange="replay",
                cryptocurrency_id=key,
                kind=MarketEventKind.LISTED,
                known_at=T0,
                run_id=run,
            ),
            MarketDataIndicators(
                cryptocurrency_id=key,
                timeframe=timeframe,
                timestamp=T0,
                known_at=MarketData.get_latest(session, key, timeframe, 3)[0].known_at,
                indicators={"rsi": 61.5},
            ),
            RateBudget(exchange="replay", address="local", tokens=1.0, refilled_at=T0),
            ProcessLease(name="collect replay", holder="a", epoch=1, expires_at=T0),
        ]
    )
    QuarantinedRow.store(session, [make_refused(run)])
    MarketDataFinding.store(session, [make_finding(key, run)])
    session.flush()
