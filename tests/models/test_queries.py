"""The models' queries."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.exceptions import UnknownSymbol
from app.domain.decision import DecisionKind
from app.domain.gap import GapStatus
from app.domain.timeframe import Timeframe
from app.domain.trade import ExitReason, TradeStatus
from app.models import (
    ConfigurationHistory,
    Cryptocurrency,
    MarketData,
    MarketDataGap,
    MarketSnapshot,
    QuarantinedRow,
    SeriesCursor,
    Signal,
    SimulatedTrade,
    UniverseMembership,
)
from app.models.ingest import store_bars
from app.models.partitions import ensure_partitions
from app.models.series_lock import lock_cursors
from tests.models.factories import (
    MINUTE,
    T0,
    add_market,
    add_run,
    make_bars,
    make_gap,
    make_refused,
    make_signal,
    make_snapshot,
    make_trade,
)

HOUR = timedelta(hours=1)


def test_markets_are_found_by_symbol(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        eth = add_market(session, run, "ETH/USDT")
        add_market(session, run, "BTC/USDT")
        assert Cryptocurrency.get_by_symbol(session, "replay", "ETH/USDT") is eth
        assert Cryptocurrency.find_by_symbol(session, "kraken", "ETH/USDT") is None
        assert Cryptocurrency.get_by_ids(session, [eth.id, 999]) == {eth.id: eth}
        with pytest.raises(UnknownSymbol, match="'XYZ/USDT' of exchange 'replay'"):
            Cryptocurrency.get_by_symbol(session, "replay", "XYZ/USDT")


def test_the_universe_is_answered_as_it_was(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        market = add_market(session, run)
        common = {"cryptocurrency_id": market.id, "figures": {}, "run_id": run}
        first = UniverseMembership(
            **common, admitted=True, reasons=[], valid_from=T0, valid_to=T0 + HOUR
        )
        second = UniverseMembership(
            **common, admitted=False, reasons=["no_ticker"], valid_from=T0 + HOUR
        )
        session.add_all([first, second])
        session.flush()
        at = UniverseMembership.get_members_at
        assert at(session, "replay", T0 - MINUTE) == []
        assert at(session, "replay", T0) == [market]
        assert at(session, "replay", T0 + HOUR) == []
        assert UniverseMembership.get_current(session, "replay") == [(market, second)]


def test_a_market_has_one_open_verdict(database: Database) -> None:
    with pytest.raises(IntegrityError, match="uq_universe_membership_open"):
        with database.session_scope() as session:
            run = add_run(session)
            market = add_market(session, run)
            for hour in range(2):
                session.add(
                    UniverseMembership(
                        cryptocurrency_id=market.id,
                        admitted=True,
                        reasons=[],
                        figures={},
                        valid_from=T0 + hour * HOUR,
                        run_id=run,
                    )
                )
                session.flush()


def test_windows_equal_a_plain_select(database: Database) -> None:
    start = T0 - timedelta(days=8)  # across a month's end
    with database.session_scope() as session:
        batches = [
            make_bars(key, 30, start, 10.0 * key, Timeframe.H8) for key in (1, 2, 3, 9)
        ]
        holed = replace(batches[1], bars=np.delete(batches[1].bars, 10))
        store_bars(session, [batches[0], holed, *batches[2:], make_bars(1, 50)], T0)
        until = start + 28 * Timeframe.H8.duration
        windows = MarketData.get_for_indicators(
            session, [3, 1, 2, 77], Timeframe.H8, until, 25
        )
        for key in (1, 2, 3):
            first = until - 24 * Timeframe.H8.duration
            rows = MarketData.get_range(
                session, key, Timeframe.H8, first, until + MINUTE
            )
            window = windows[key]
            for name in ("open", "high", "low", "close", "volume"):
                column = getattr(window, name)
                assert column.tolist() == [getattr(row, name) for row in rows]
                assert column.flags.c_contiguous and not column.flags.writeable
            times = [row.timestamp.replace(tzinfo=None) for row in rows]
            assert np.array_equal(window.open_at, np.array(times, "datetime64[us]"))
    assert {key: len(window) for key, window in windows.items()} == {
        1: 25,
        2: 24,
        3: 25,
    }


def test_latest_bar_of_each_series(database: Database) -> None:
    with database.session_scope() as session:
        old = T0 - timedelta(days=90)
        store_bars(session, [make_bars(1, 3), make_bars(2, 4, old)], T0)
        latest = MarketData.get_latest_of_each(session, [1, 2, 3], Timeframe.M1)
    assert {key: bar.timestamp for key, bar in latest.items()} == {
        1: T0 + 2 * MINUTE,
        2: old + 3 * MINUTE,
    }


def test_a_bar_is_traced_to_the_run_that_knew_it(database: Database) -> None:
    with database.session_scope() as session:
        first = add_run(session, started_at=T0)
        second = add_run(session, started_at=T0 + HOUR)
        add_run(session, process="scanner", started_at=T0 + HOUR)
        find = ConfigurationHistory.find_run_at
        assert find(session, "collector", T0 - MINUTE) is None
        for at, run in ((T0, first), (T0 + HOUR - MINUTE, first), (T0 + HOUR, second)):
            found = find(session, "collector", at)
            assert found is not None and found.run_id == run


def test_cursors_are_made_once_and_then_kept(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        market = add_market(session, run)
        keys = {(market.id, Timeframe.H1): T0, (market.id, Timeframe.M1): T0}
        made = lock_cursors(session, keys, run)
        made[market.id, Timeframe.M1].watermark_at = T0 + HOUR
    with database.session_scope() as session:
        later = {key: T0 + 5 * HOUR for key in keys}
        locked = lock_cursors(session, later, run)
        assert locked.keys() == keys.keys()
        assert locked[market.id, Timeframe.M1].watermark_at == T0 + HOUR
        assert locked[market.id, Timeframe.H1].history_from == T0
        assert SeriesCursor.get_for_markets(session, [market.id]) == locked
        assert lock_cursors(session, {}, run) == {}


def test_gaps_to_repair_come_longest_untried_first(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        market = add_market(session, run)
        gaps = [make_gap(market.id, run, T0 + n * HOUR) for n in range(4)]
        gaps[0].last_attempt_at = T0 + HOUR
        gaps[3].status, gaps[3].resolved_at = GapStatus.FILLED, T0
        session.add_all(gaps)
        session.flush()
        due = partial(
            MarketDataGap.get_due,
            session,
            now=T0 + 9 * HOUR,
            first_pause=MINUTE,
            longest_pause=HOUR,
            spacing=HOUR,
        )
        assert due("replay", limit=9) == [gaps[1], gaps[2], gaps[0]]
        assert due("replay", limit=1) == [gaps[1]]
        assert due("kraken", limit=9) == []
        of_series = MarketDataGap.get_for_series(
            session, market.id, Timeframe.M1, T0 + MINUTE, T0 + HOUR + MINUTE
        )
        assert of_series == gaps[:2]


def test_a_refused_item_is_kept_once(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        for _ in range(2):
            rows = [make_refused(run), make_refused(run, "[2]"), make_refused(run)]
            QuarantinedRow.store(session, rows)
        assert QuarantinedRow.store(session, []) == 0
        kept = session.scalars(sa.select(QuarantinedRow)).all()
    assert sorted(row.raw for row in kept) == ["[1, null]", "[2]"]


def test_snapshots_with_a_given_indicator(database: Database) -> None:
    odd = 'we"ird'
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        ensure_partitions(session, "market_snapshots", T0, T0 + 40 * 24 * HOUR)
        held = [{"rsi": 61.5, "ema_200": None}] * 3
        held[1] = {"rsi": None, odd: 1.0}
        shots = [
            make_snapshot(session, key, run, T0 + n * 15 * 24 * HOUR, indicators)
            for n, indicators in enumerate(held)
        ]
        session.add_all(shots)
        session.flush()
        find = MarketSnapshot.get_with_specific_indicator
        assert find(session, Timeframe.M5, "rsi") == [shots[2], shots[0]]
        assert find(session, Timeframe.M5, "rsi", limit=1) == [shots[2]]
        assert find(session, Timeframe.M5, odd) == [shots[1]]
        assert find(session, Timeframe.M5, "ema_200") == []
        assert find(session, Timeframe.H1, "rsi") == []
        assert MarketSnapshot.get_latest(session, key, 2) == shots[1:]
        assert MarketSnapshot.get_latest_of_each(session, [key, 9]) == {key: shots[2]}
        assert MarketSnapshot.get_range(session, key, T0, T0 + HOUR) == shots[:1]


def add_signal(session: Session) -> Signal:
    signal = make_signal(add_market(session, add_run(session)))
    session.add(signal)
    session.flush()
    return signal


def test_decisions_are_listed_newest_first(database: Database) -> None:
    with database.session_scope() as session:
        first = add_signal(session)
        refusal = Signal.from_dict(first.to_dict() | {"id": str(uuid.uuid4())})
        refusal.kind, refusal.entry_price = DecisionKind.REFUSAL, None
        refusal.bar_at = refusal.decided_at = T0 + HOUR
        session.add(refusal)
        session.flush()
        assert Signal.get_latest(session) == [refusal, first]
        assert Signal.get_latest(session, kind=DecisionKind.SIGNAL) == [first]
        assert Signal.get_range(session, T0 + HOUR, T0 + 2 * HOUR) == [refusal]
        assert Signal.get_by_run_id(session, first.run_id) == [first, refusal]


def test_a_bar_is_judged_once(database: Database) -> None:
    with pytest.raises(IntegrityError, match="uq_signals_"):
        with database.session_scope() as session:
            signal = add_signal(session)
            data = signal.to_dict() | {"id": str(uuid.uuid4())}
            session.add(Signal.from_dict(data))


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("entry_price", None, "signal_is_complete"),
        ("stop_price", Decimal("NaN"), "stop_price_positive"),
        ("entry_price", Decimal(0), "entry_price_positive"),
        ("confidence", 1.5, "confidence_in_range"),
        ("confidence", float("nan"), "confidence_in_range"),
    ],
)
def test_impossible_signals_are_refused(
    database: Database, column: str, value: object, constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=f"ck_signals_{constraint}"):
        with database.session_scope() as session:
            setattr(add_signal(session), column, value)


def test_trades_open_then_and_now(database: Database) -> None:
    with database.session_scope() as session:
        trade = make_trade(add_signal(session))
        session.add(trade)
        session.flush()
        assert SimulatedTrade.get_open(session, lock=True) == [trade]
        trade.status, trade.remaining_quantity = TradeStatus.CLOSED, Decimal(0)
        trade.exit_at, trade.exit_reason = T0 + HOUR, ExitReason.STOP_LOSS
        session.flush()
        assert SimulatedTrade.get_open(session) == []
        assert SimulatedTrade.get_closed(session) == [trade]
        assert SimulatedTrade.get_open_at(session, T0 + HOUR - MINUTE) == [trade]
        assert SimulatedTrade.get_open_at(session, T0 + HOUR) == []
        assert SimulatedTrade.get_by_run_id(session, trade.run_id) == [trade]


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": TradeStatus.CLOSED}, "closed_"),
        ({"remaining_quantity": Decimal(3)}, "remaining_within_quantity"),
        ({"remaining_quantity": Decimal("NaN")}, "remaining_within_quantity"),
        ({"realised_pnl": Decimal("NaN")}, "realised_pnl_finite"),
        ({"exit_at": T0 - HOUR}, "exit_after_entry"),
    ],
)
def test_impossible_trades_are_refused(
    database: Database, changes: dict[str, object], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=f"ck_simulated_trades_{constraint}"):
        with database.session_scope() as session:
            trade = make_trade(add_signal(session))
            for column, value in changes.items():
                setattr(trade, column, value)
            session.add(trade)


def test_naive_times_are_refused(database: Database) -> None:
    with database.session_scope() as session:
        with pytest.raises(sa.exc.StatementError, match="no time zone"):
            MarketData.get_range(session, 1, Timeframe.M1, T0.replace(tzinfo=None), T0)
