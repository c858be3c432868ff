"""Storing bars in bulk."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.models import MarketData, MarketDataRevision
from app.models import ingest as ingest_module
from app.models.bar_merge import merge_bars
from app.models.ingest import IngestResult, SeriesBars, store_bars
from app.models.knowledge import publish_horizon
from app.models.keyed_bars import KeyedBars
from app.models.series_lock import lock_cursors
from tests.models.factories import MINUTE, T0, add_market, add_run, make_bars

LATER = T0 + timedelta(days=1)


def stored(session: Session) -> list[tuple[object, ...]]:
    rows = session.execute(
        sa.text("SELECT * FROM market_data ORDER BY 1, 2, 3").columns(
            timestamp=sa.TIMESTAMP(timezone=True)
        )
    )
    return [tuple(row) for row in rows]


def revisions(session: Session) -> list[MarketDataRevision]:
    query = sa.select(MarketDataRevision).order_by(
        MarketDataRevision.timestamp, MarketDataRevision.known_from
    )
    return list(session.scalars(query))


def test_new_bars_are_stored_as_given(database: Database) -> None:
    with database.session_scope() as session:
        given = make_bars(count=3)
        assert store_bars(session, [given], LATER) == IngestResult(inserted=3)
        rows = MarketData.get_latest(session, 1, Timeframe.M1, 10)
    assert [row.timestamp for row in rows] == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
    assert [row.open for row in rows] == given.bars["open"].tolist()
    assert [row.volume for row in rows] == given.bars["volume"].tolist()
    assert {row.known_at for row in rows} == {LATER}


def test_storing_twice_changes_nothing(database: Database) -> None:
    given = [make_bars(1, 50), make_bars(2, 50, timeframe=Timeframe.M15)]
    with database.session_scope() as session:
        store_bars(session, given, T0)
        before = stored(session)
    with database.session_scope() as session:
        assert store_bars(session, given, LATER) == IngestResult(unchanged=100)
        assert stored(session) == before
        assert revisions(session) == []


def test_a_correction_keeps_the_old_value(database: Database) -> None:
    first, corrected = make_bars(count=3), make_bars(count=3)
    corrected.bars["close"][1] += 0.25
    with database.session_scope() as session:
        store_bars(session, [first], T0)
        result = store_bars(session, [corrected], LATER)
        (old,) = revisions(session)
        new = MarketData.get_latest(session, 1, Timeframe.M1, 3)[1]
    assert result == IngestResult(revised=1, unchanged=2)
    assert (old.timestamp, old.known_from, old.known_to) == (T0 + MINUTE, T0, LATER)
    assert old.close == first.bars["close"][1]
    assert (new.close, new.known_at) == (corrected.bars["close"][1], LATER)


def test_corrections_at_one_instant_are_all_kept(database: Database) -> None:
    with database.session_scope() as session:
        for price in (100.0, 101.0, 102.0):
            store_bars(session, [make_bars(count=1, price=price)], T0)
        kept = revisions(session)
    assert [row.open for row in kept] == [100.0, 101.0]
    assert kept[0].known_to == kept[1].known_from < kept[1].known_to


def test_order_does_not_matter_and_the_last_of_equals_wins(database: Database) -> None:
    early, late = make_bars(count=5), make_bars(count=5, price=200.0)
    shuffled = np.random.default_rng(1).permutation(late.bars)
    batches = [early, replace(late, bars=np.append(shuffled[:3], shuffled[3:]))]
    with database.session_scope() as session:
        assert store_bars(session, batches, T0) == IngestResult(inserted=5)
        rows = MarketData.get_latest(session, 1, Timeframe.M1, 5)
    assert [row.open for row in rows] == late.bars["open"].tolist()


def test_bars_around_holes_and_old_bars_are_found(database: Database) -> None:
    far = make_bars(1, 3, start=T0 - timedelta(days=700))
    near, other = make_bars(1, 5), make_bars(7, 2, start=T0 + MINUTE)
    with database.session_scope() as session:
        store_bars(session, [near, other], T0)
        holed = replace(near, bars=near.bars[[0, 1, 4]])
        result = store_bars(session, [far, holed, other], LATER)
    assert result == IngestResult(inserted=3, unchanged=5)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_impossible_prices_are_refused(database: Database, bad: float) -> None:
    given = make_bars(count=2)
    given.bars["close"][1] = bad
    with pytest.raises(IntegrityError, match="ck_market_data_close_positive"):
        with database.session_scope() as session:
            store_bars(session, [given], T0)
    with database.session_scope() as session:
        store_bars(session, [make_bars(count=2)], T0)
    with pytest.raises(IntegrityError, match="ck_market_data_close_positive"):
        with database.session_scope() as session:
            store_bars(session, [given], LATER)


def test_negative_zero_volume_is_zero(database: Database) -> None:
    given = make_bars(count=1)
    with database.session_scope() as session:
        store_bars(session, [given], T0)
        given.bars["volume"] = -0.0
        assert store_bars(session, [given], LATER) == IngestResult(unchanged=1)


def test_no_bars_is_no_work(database: Database) -> None:
    with database.session_scope() as session:
        assert store_bars(session, [make_bars(count=0)], T0) == IngestResult()


def test_a_slot_taken_meanwhile_is_corrected(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ingest_module._compare

    def compare_then_lose_the_race(session: Session, *args: object) -> object:
        answer = real(session, *args)  # type: ignore[arg-type]
        with database.session_scope() as other:
            mine = KeyedBars.from_series([make_bars(count=2, price=50.0)])
            merge_bars(other, Timeframe.M1, mine, T0)
        return answer

    with database.session_scope() as session:
        store_bars(session, [make_bars(9, 1)], T0)  # makes the partition
    monkeypatch.setattr(ingest_module, "_compare", compare_then_lose_the_race)
    with database.session_scope() as session:
        result = store_bars(session, [make_bars(count=3)], LATER)
        assert [row.open for row in revisions(session)] == [50.0, 50.0 + 1 / 7]
    assert result == IngestResult(inserted=1, revised=2)


def test_concurrent_writers_neither_deadlock_nor_lose(database: Database) -> None:
    with database.session_scope() as session:
        run = add_run(session)
        symbols = [f"C{i}/USDT" for i in range(6)]
        ids = [add_market(session, run, symbol).id for symbol in symbols]
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            for step in range(8):
                chosen = [int(key) for key in rng.permutation(ids)[:4]]
                keys = {(key, Timeframe.M1): T0 for key in chosen}
                with database.session_scope() as session:
                    lock_cursors(session, keys, run)
                    at = T0 + int(rng.integers(0, 5)) * MINUTE
                    price = float(rng.integers(50, 60))
                    batches = [make_bars(key, 4, at, price) for key in chosen]
                    store_bars(session, batches, T0 + step * MINUTE)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.session_scope() as session:
        _assert_histories_join(session)


def _assert_histories_join(session: Session) -> None:
    """Intervals of each bar's values follow one another without hole or overlap."""
    broken = session.execute(sa.text("""
        SELECT * FROM (
            SELECT known_to, lead(known_from) OVER bar AS next_from
            FROM market_data_history
            WINDOW bar AS (
                PARTITION BY cryptocurrency_id, timeframe, timestamp
                ORDER BY known_from)
        ) AS h WHERE known_to IS DISTINCT FROM next_from
        """))
    assert broken.all() == []


def test_what_was_known_then_stays_answerable(database: Database) -> None:
    query = sa.text("SELECT close FROM market_data_as_of(:at) ORDER BY timestamp")
    times: list[datetime] = [T0 + timedelta(hours=n) for n in range(3)]
    with database.session_scope() as session:
        for at, price in zip(times, (100.0, 200.0, 300.0), strict=True):
            store_bars(session, [make_bars(count=1, price=price)], at)
        publish_horizon(session, times[2] + timedelta(days=1))
        second = timedelta(seconds=1)
        answers = [
            list(session.scalars(query, {"at": at}))
            for at in (T0 - second, T0, times[1] - second, times[1], times[2] + second)
        ]
    assert answers == [[], [100.5], [100.5], [200.5], [300.5]]


def test_candles_become_bars() -> None:
    from app.domain.candle import Candle

    candle = Candle(T0, 1.0, 3.0, 0.5, 2.0, 10.0)
    bars = SeriesBars.from_candles(3, Timeframe.H1, [candle]).bars
    assert bars.tolist() == [(1736121600000000, 1.0, 3.0, 0.5, 2.0, 10.0)]
    assert len(SeriesBars.from_candles(3, Timeframe.H1, []).bars) == 0
