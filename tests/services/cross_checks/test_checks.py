"""Checks of stored bars: what is recorded, once, and what stays untouched."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.market import PublicTrade
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.archives.trades import TradeChunk
from app.exchange.rejected import RejectedItem, reject
from app.exchange.replies import TradePage
from app.models import MarketData, MarketDataFinding
from app.models.bars import SeriesBars, to_microseconds
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from app.services.cross_checks.findings import keep_findings
from app.services.cross_checks.implausible import find_implausible
from app.services.cross_checks.incremental import IncrementalChecks
from app.services.cross_checks.series import list_series, windows_of
from app.services.cross_checks.trade_files import check_trade_chunks
from app.services.cross_checks.trades import (
    check_against_trades,
    columns_of_trades,
    doubtful_spans,
    fetch_trade_list,
)
from app.services.cross_checks.vanished import Answer, find_vanished
from tests.models.factories import MINUTE, T0, add_market, add_run, make_bars

M1, M5 = Timeframe.M1, Timeframe.M5


def store(session: Session, bars: SeriesBars, run: uuid.UUID, at: datetime) -> None:
    """Store `bars` as an answer about their own time."""
    opens = bars.bars["open_at"]
    first = T0 + timedelta(microseconds=int(opens[0]) - to_microseconds(T0))
    last = first + timedelta(microseconds=int(opens[-1] - opens[0]))
    end = bars.timeframe.shift(last, 1)
    key, frame = bars.cryptocurrency_id, bars.timeframe
    answer = SeriesSlice(key, frame, bars.bars, first, end, counts_as_answer=True)
    Ledger(run).store(session, [answer], at)


def quiet(
    key: int, count: int, start: datetime = T0, frame: Timeframe = M1
) -> SeriesBars:
    """Bars that all cost the same; 5 smaller ones make a larger one."""
    bars = make_bars(key, count, start, timeframe=frame)
    step = frame.duration / MINUTE
    for name, value in (("open", 1e2), ("high", 101.0), ("low", 99.0), ("close", 1e2)):
        bars.bars[name] = value
    bars.bars["volume"] = 2.0 * step
    return bars


def kept(session: Session) -> list[tuple[datetime, str]]:
    rows = session.scalars(select(MarketDataFinding)).all()
    return sorted((row.timestamp, row.rule) for row in rows)


def test_odd_bars_among_many_slices_are_found_at_once() -> None:
    slices = [quiet(key, 3) for key in range(1, 500)]
    slices[10].bars["open"][1] = 150.0
    slices[20].bars["volume"][0] = 0.0
    for name in ("open", "high", "low", "close"):
        slices[30].bars[name][2] *= 100
    found = find_implausible(slices, T0, uuid.uuid4())
    assert [(row.cryptocurrency_id, row.timestamp, row.rule) for row in found] == [
        (11, T0 + MINUTE, "open_outside_range"),
        (21, T0, "range_without_volume"),
        (31, T0 + 2 * MINUTE, "price_jump"),
    ]
    assert find_implausible([], T0, uuid.uuid4()) == []


def test_an_implausible_bar_is_flagged_and_kept(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        bars = quiet(add_market(session, run).id, 3)
        bars.bars["close"][1] = 500.0
        store(session, bars, run, T0)
        found = find_implausible([bars], T0, run)
        assert keep_findings(session, found) == 1
        again = find_implausible([bars], T0 + MINUTE, run)
        assert keep_findings(session, again) == 0
        stored = MarketData.get_range(
            session, bars.cryptocurrency_id, M1, T0, T0 + 9 * MINUTE
        )
        assert [bar.close for bar in stored] == [100.0, 500.0, 100.0]
        (finding,) = MarketDataFinding.get_for_series(
            session, bars.cryptocurrency_id, M1
        )
        assert finding.stored == {"close": 500.0}
        assert finding.expected == {"at_least": 99.0, "at_most": 101.0}


def look(checks: IncrementalChecks, session: Session, now: datetime) -> int:
    """One pass of idle time; how many bars it looked at."""
    judged = 0
    for due in checks.due(session):
        judged += checks.run(session, due, now).judged
        checks.done(due)
    return judged


def test_idle_checks_look_at_new_bars_only(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        bars = quiet(key, 60)
        bars.bars["high"][58] = 900.0
        store(session, bars, run, T0)
        store(session, quiet(key, 12, frame=M5), run, T0)
        checks = IncrementalChecks("replay", run)
        assert look(checks, session, T0) == 72
        spike = (T0 + 58 * MINUTE, "price_spike")
        aggregate = (T0 + 55 * MINUTE, "aggregate_high")
        assert kept(session) == [aggregate, spike]
        assert look(checks, session, T0) == 0
        later = quiet(key, 10, T0 + 60 * MINUTE)
        later.bars["low"][9] = 1.0
        store(session, later, run, T0)
        assert look(checks, session, T0) == 11  # and the last one again
        assert len(kept(session)) == 2  # the newest bar has no successor yet
        store(session, quiet(key, 10, T0 + 70 * MINUTE), run, T0)
        assert look(checks, session, T0) == 11
        assert (T0 + 69 * MINUTE, "price_spike") in kept(session)
        # A process that starts again looks again and finds nothing new.
        before = kept(session)
        assert look(IncrementalChecks("replay", run), session, T0) > 0
        assert kept(session) == before


def test_larger_bars_wait_for_the_smaller_ones(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        key = add_market(session, run).id
        store(session, quiet(key, 7), run, T0)
        wrong = quiet(key, 2, frame=M5)
        wrong.bars["close"] = 100.5
        store(session, wrong, run, T0)
        checks = IncrementalChecks("replay", run)
        look(checks, session, T0)
        assert kept(session) == [(T0, "aggregate_close")]
        store(session, quiet(key, 5, T0 + 7 * MINUTE), run, T0)
        look(checks, session, T0)
        assert kept(session) == [(T0 + m * MINUTE, "aggregate_close") for m in (0, 5)]


def test_windows_cover_a_series_exactly(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.cross_checks.series._BARS_PER_WINDOW", 7)
    with database.session_scope() as session:
        run = add_run(session)
        store(session, quiet(add_market(session, run).id, 31), run, T0)
        (series,) = list_series(session, symbol="BTC/USDT")
        windows = list(windows_of(series))
        assert windows[0][0] == T0 and windows[-1][1] == T0 + 31 * MINUTE
        assert all(a[1] == b[0] for a, b in zip(windows, windows[1:], strict=False))
        assert len(windows) == 5
        assert list_series(session, symbol="ETH/USDT") == []
        (late,) = list_series(session, since=T0 + 30 * MINUTE)
        assert late.start == T0 + 30 * MINUTE


def test_a_bar_the_exchange_no_longer_serves_is_told(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        bars = quiet(add_market(session, run).id, 6)
        store(session, bars, run, T0)
        opens = np.delete(bars.bars["open_at"], [0, 2, 3])
        refused = [T0 + 3 * MINUTE]
        answer = Answer(bars.cryptocurrency_id, M1, opens, refused)
        (finding,) = find_vanished(session, [answer], T0, run)
        assert finding.timestamp == T0 + 2 * MINUTE and finding.rule == "bar_vanished"
        assert finding.stored["close"] == 100.0
        assert finding.expected == {"served": False}
        # A reply that ends early or is empty says nothing of what follows.
        for short in (bars.bars["open_at"][:2], bars.bars["open_at"][:0]):
            answer = Answer(bars.cryptocurrency_id, M1, short)
            assert find_vanished(session, [answer], T0, run) == []


class Tape:
    """Trades in pages of at most `size`, each for no longer than `window`.

    With `is_newest` only the newest page is told, whatever is asked for. `refused`
    come with the page of their time.
    """

    def __init__(
        self,
        trades: Sequence[PublicTrade],
        size: int,
        window: timedelta = timedelta(days=1),
        is_newest: bool = False,
        refused: Sequence[RejectedItem] = (),
    ) -> None:
        self._trades, self._size = trades, size
        self._window, self._is_newest, self._refused = window, is_newest, refused

    async def fetch_trades(
        self, symbol: str, since: datetime | None = None, limit: int = 500
    ) -> TradePage:
        if self._is_newest:
            return TradePage(tuple(self._trades[-self._size :]))
        assert since is not None
        end = since + self._window
        fitting = [t for t in self._trades if since <= t.at <= end]
        return TradePage(tuple(fitting[: min(self._size, limit)]), tuple(self._refused))


def tape(minutes: int = 6) -> list[PublicTrade]:
    """Four trades a minute, two of them at one instant, that make `quiet` bars."""
    told = []
    for minute in range(minutes):
        for part, (second, price) in enumerate(
            ((0, 100), (9, 101), (9, 99), (50, 100))
        ):
            at = T0 + minute * MINUTE + timedelta(seconds=second)
            told.append(PublicTrade(f"{minute}-{part}", at, float(price), 0.5, "buy"))
    return told


@pytest.mark.parametrize("size", [3, 5, 1_000])
def test_bars_agree_with_the_trades_the_venue_tells(
    database: Database, size: int
) -> None:
    end = T0 + 5 * MINUTE
    told = asyncio.run(fetch_trade_list(Tape(tape(), size), "X", T0, end))
    assert len(told.trades) == 20 and told.end == end
    with database.session_scope() as session:
        run = add_run(session)
        bars = quiet(add_market(session, run).id, 6)
        bars.bars["volume"][3] = 7.0
        store(session, bars, run, T0)
        columns = columns_of_trades(told)
        key = bars.cryptocurrency_id
        first = check_against_trades(session, key, M1, columns, T0, run)
        again = check_against_trades(session, key, M1, columns, T0, run)
        assert (first.compared, first.new, again.new) == (5, 1, 0)
        assert kept(session) == [(T0 + 3 * MINUTE, "trades_volume")]


PAUSE = 65 * MINUTE


def resumed(minutes: int = 6) -> list[PublicTrade]:
    """`tape`, and the same once more after a pause of over an hour."""
    first = tape(minutes)
    return first + [
        replace(trade, trade_id=f"later-{trade.trade_id}", at=trade.at + PAUSE)
        for trade in first
    ]


def refused(at: datetime | None) -> RejectedItem:
    rule = RejectionRule.ITEM_IMPOSSIBLE
    return reject("X", "trade", rule, {"price": "NaN"}, occurred_at=at)


@pytest.mark.parametrize(
    ("source", "compared"),
    [
        # A quiet hour is not the end, and the last bar may not be over.
        (Tape(resumed(), 1_000, timedelta(hours=1)), 70),
        # Of the newest ten trades, those of minute 69 are whole.
        (Tape(resumed(), 10, is_newest=True), 1),
        (Tape(resumed()[:24], 10, is_newest=True), 1),
        (Tape(resumed(), 1_000, refused=[refused(T0 + 2.5 * MINUTE)]), 69),
        (Tape(resumed(), 1_000, refused=[refused(None)]), 0),
        (Tape([], 1_000, timedelta(hours=1)), 0),
    ],
)
def test_no_true_bar_is_doubted_for_trades_that_were_not_told(
    database: Database, source: Tape, compared: int
) -> None:
    end = T0 + 71 * MINUTE
    told = asyncio.run(fetch_trade_list(source, "X", T0, end))
    with database.session_scope() as session:
        run = add_run(session)
        bars = quiet(add_market(session, run).id, 71)
        bars.bars["volume"][6:65] = 0
        store(session, bars, run, T0)
        key, columns = bars.cryptocurrency_id, columns_of_trades(told)
        doubtful = doubtful_spans(told)
        counts = check_against_trades(session, key, M1, columns, T0, run, doubtful)
        assert (counts.compared, kept(session)) == (compared, [])


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_trades_of_a_file_are_compared_chunk_by_chunk(
    database: Database, size: int
) -> None:
    rows = [(to_microseconds(t.at), t.price, t.amount) for t in tape(6)]
    fields = [("time_us", "<i8"), ("price", "<f8"), ("quantity", "<f8")]
    trades = np.array(rows, dtype=fields)
    chunks = [TradeChunk(trades[at : at + size]) for at in range(0, len(trades), size)]
    with database.session_scope() as session:
        run = add_run(session)
        bars = quiet(add_market(session, run).id, 6)
        bars.bars["high"][2] = 102.0
        store(session, bars, run, T0)
        key = bars.cryptocurrency_id
        counts = check_trade_chunks(session, key, M1, chunks, T0, run)
        # The last minute may be cut by the end of the file.
        assert counts.compared == 5 and counts.found == {"trades_high": 1}
        assert kept(session) == [(T0 + 2 * MINUTE, "trades_high")]


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_bars_that_a_refused_trade_of_a_file_touches_are_left_out(
    database: Database, size: int
) -> None:
    rows = [(to_microseconds(t.at), t.price, t.amount) for t in tape(6)]
    fields = [("time_us", "<i8"), ("price", "<f8"), ("quantity", "<f8")]
    trades = np.array(rows, dtype=fields)
    chunks = []
    for first in range(0, len(trades), size):
        at = range(first, min(first + size, len(trades)))
        before = [9 - first] if 9 in at else []  # the second trade of minute 2
        part = np.delete(trades[at.start : at.stop], before)
        chunks.append(TradeChunk(part, (refused(None),) * len(before), tuple(before)))
    with database.session_scope() as session:
        run = add_run(session)
        bars = quiet(add_market(session, run).id, 6)
        store(session, bars, run, T0)
        key = bars.cryptocurrency_id
        counts = check_trade_chunks(session, key, M1, chunks, T0, run)
        assert counts.compared == 4 and not counts.found
