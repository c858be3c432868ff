"""Asked twice what was known at an instant, the answer is the same, and right."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.database import Database
from app.core.exceptions import NotSettled
from app.domain.timeframe import Timeframe
from app.models.as_of import read_as_of, read_many_as_of
from app.models.ingest import store_bars
from app.models.knowledge import begin_knowing, find_horizon, publish_horizon
from app.models.partitions import ensure_partitions
from tests.models.factories import MINUTE, T0, make_bars

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
SERIES, SLOTS = 3, 4
KEYS = list(range(1, SERIES + 1))
Answer = dict[tuple[int, int], tuple[float, datetime]]


@dataclass
class Writer:
    """A transaction under way, which stored some bars of its series."""

    session: Session
    series: int
    wrote: list[tuple[int, float, datetime]] = field(default_factory=list)


@dataclass
class Scene:
    """Several writers, one publisher and one reader, on connections of their own."""

    connections: ExitStack
    engine: sa.Engine
    dice: random.Random
    now: datetime = T0
    writers: dict[int, Writer] = field(default_factory=dict)
    known: dict[tuple[int, int], list[tuple[float, datetime]]] = field(
        default_factory=dict
    )
    answers: dict[datetime, Answer] = field(default_factory=dict)

    def write(self) -> None:
        """Begin a transaction, or store one more bar in one under way."""
        series = self.dice.choice(KEYS)
        if series not in self.writers:
            session = self.connections.enter_context(Session(self.engine))
            self.writers[series] = Writer(session, series)
        writer = self.writers[series]
        slot, price = self.dice.randrange(SLOTS), self.dice.choice([100.0, 101.0])
        # Clocks of two writers differ, and one may be set back.
        clock = self.now + self.dice.randint(-30, 30) * SECOND
        known_at = begin_knowing(writer.session, clock)
        bar = make_bars(series, 1, T0 + slot * MINUTE, price)
        store_bars(writer.session, [bar], known_at)
        writer.wrote.append((slot, price + 0.5, known_at))

    def end(self) -> None:
        """Commit or roll back a transaction, in no particular order."""
        if not self.writers:
            return
        writer = self.writers.pop(self.dice.choice(sorted(self.writers)))
        if self.dice.random() < 0.2:
            writer.session.rollback()
            return
        writer.session.commit()
        for slot, close, known_at in writer.wrote:
            values = self.known.setdefault((writer.series, slot), [])
            if not values:
                values.append((close, known_at))
            elif values[-1][0] != close:
                after = values[-1][1] + timedelta(microseconds=1)
                values.append((close, max(known_at, after)))

    def publish(self) -> None:
        """Try to move the horizon, which fails while a writer is slow."""
        with Session(self.engine) as session:
            moved = publish_horizon(session, self.now, 0.001)
            session.commit()
        assert (moved is None) == bool(self.writers)

    def ask(self) -> None:
        """Ask for the horizon and for an instant asked before."""
        with Session(self.engine) as session:
            horizon = find_horizon(session)
            if horizon is None:
                return
            earlier = self.dice.choice([horizon, *self.answers])
            for at in (horizon, earlier):
                answer = read(session, at)
                assert self.answers.setdefault(at, answer) == answer

    def expected(self, at: datetime) -> Answer:
        """What was known at `at`, by the record of what was committed."""
        answer = {}
        for slot, values in self.known.items():
            until = [value for value in values if value[1] <= at]
            if until:
                answer[slot] = until[-1]
        return answer


def read(session: Session, at: datetime) -> Answer:
    end = T0 + SLOTS * MINUTE
    found = read_many_as_of(session, at, KEYS, Timeframe.M1, T0, end)
    return {
        (key, int((open_at - T0.replace(tzinfo=None)) / MINUTE)): (
            close,
            known_from.replace(tzinfo=T0.tzinfo),
        )
        for key, bars in found.items()
        for open_at, close, known_from in zip(
            bars.open_at.tolist(),
            bars.close.tolist(),
            bars.known_from.tolist(),
            strict=True,
        )
    }


@pytest.fixture
def engine(database: Database) -> Iterator[sa.Engine]:
    with database.session_scope() as session:
        ensure_partitions(session, "market_data", T0, T0)
    engine = sa.create_engine(database.engine.url, pool_size=SERIES + 2)
    yield engine
    engine.dispose()


def test_answers_stay_the_same_whatever_commits_when(engine: sa.Engine) -> None:
    asked = 0
    for seed in range(8):
        with ExitStack() as connections:
            scene = Scene(connections, engine, random.Random(seed))
            # The table is shared: begin after what the last scene published.
            scene.now = T0 + seed * HOUR
            clear(engine)
            for _ in range(80):
                scene.now += timedelta(seconds=scene.dice.randint(0, 20))
                step = [scene.write, scene.end, scene.publish, scene.ask]
                scene.dice.choices(step, [4, 4, 3, 4])[0]()
            for at, answer in scene.answers.items():
                assert answer == scene.expected(at), f"seed {seed}, {at}"
            asked += len(scene.answers)
    assert asked > 30


def clear(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("TRUNCATE market_data, market_data_revisions, knowledge_horizon")
        )


def test_a_correction_back_and_forth_is_answered_at_each_instant(
    database: Database,
) -> None:
    prices = [100.0, 101.0, 100.0, 100.0, 102.0]
    for hour, price in enumerate(prices):
        with database.session_scope() as session:
            known_at = begin_knowing(session, T0 + hour * HOUR)
            store_bars(session, [make_bars(1, 3, price=price)], known_at)
            publish_horizon(session, known_at)
    with database.session_scope() as session:
        for hour, price in enumerate(prices):
            at = T0 + hour * HOUR + 30 * MINUTE if hour < 4 else T0 + 4 * HOUR
            bars = read_as_of(session, at, 1, Timeframe.M1, T0, T0 + HOUR)
            given = make_bars(1, 3, price=price).bars
            for name in ("open", "high", "low", "close", "volume"):
                assert getattr(bars, name).tolist() == given[name].tolist()
            assert not bars.close.flags.writeable


def test_many_series_are_read_apart_and_within_the_range(database: Database) -> None:
    start = T0 - timedelta(days=8)  # across a month's end
    batches = [make_bars(key, 40, start, 10.0 * key, Timeframe.H8) for key in (3, 1)]
    with database.session_scope() as session:
        store_bars(session, batches, T0)
        publish_horizon(session, T0)
        first, end = start + 8 * HOUR, start + 320 * HOUR
        found = read_many_as_of(session, T0, [1, 2, 3], Timeframe.H8, first, end)
        nothing = read_as_of(session, T0, 2, Timeframe.H8, first, end)
        before = read_as_of(session, T0 - SECOND, 1, Timeframe.H8, first, end)
    assert list(found) == [1, 3] and len(nothing) == len(before) == 0
    assert [len(bars) for bars in found.values()] == [39, 39]
    assert found[3].open.tolist() == batches[0].bars["open"][1:].tolist()
    assert (found[1].open_at[1:] > found[1].open_at[:-1]).all()


def test_what_is_not_settled_is_refused(database: Database) -> None:
    with database.session_scope() as session:
        publish_horizon(session, T0)
    with (
        database.session_scope() as session,
        pytest.raises(NotSettled, match="not settled yet, only up to 2025-01-06"),
    ):
        read_as_of(session, T0 + SECOND, 1, Timeframe.M1, T0, T0 + HOUR)


@pytest.mark.parametrize("instant", ["NULL", "(SELECT NULL::timestamptz)"])
def test_nothing_was_known_at_null_is_an_error_and_no_empty_answer(
    database: Database, instant: str
) -> None:
    with database.session_scope() as session:
        store_bars(session, [make_bars(1, 3)], T0)
        publish_horizon(session, T0)
    with database.engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError, match="known at NULL") as raised:
            connection.execute(sa.text(f"SELECT * FROM market_data_as_of({instant})"))
    assert getattr(raised.value.orig, "pgcode", None) == "22004"


def test_a_days_plan_looks_at_one_month_through_its_key(database: Database) -> None:
    with database.session_scope() as session:
        for months in range(4):
            day = T0 + timedelta(days=31 * months)
            batch = make_bars(1, 3_000, day)
            store_bars(session, [batch, replace(batch, cryptocurrency_id=2)], T0)
        store_bars(session, [make_bars(1, 100, price=7.0)], T0 + SECOND)
        publish_horizon(session, T0 + HOUR)
        session.execute(sa.text("ANALYZE market_data, market_data_revisions"))
        plan = "\n".join(
            session.scalars(
                sa.text(
                    "EXPLAIN SELECT * FROM market_data_as_of(:at)"
                    " WHERE cryptocurrency_id = 1 AND timeframe = '1m'"
                    " AND timestamp >= :start AND timestamp < :end"
                ),
                {"at": T0 + HOUR, "start": T0, "end": T0 + 24 * HOUR},
            )
        )
    scans = [line.split(" on ")[1] for line in plan.splitlines() if "Scan" in line]
    assert {name.split()[0] for name in scans} <= {
        "market_data_2025_01",
        "market_data_2025_01_pkey",
        "market_data_revisions",
        "pk_market_data_revisions",
    }
    assert "market_data_2025_01_pkey" in plan
    # Asked once a query, before anything is read.
    guard = "market_data_is_settled("
    assert plan.count(f"One-Time Filter: {guard}") == plan.count(guard) > 0
