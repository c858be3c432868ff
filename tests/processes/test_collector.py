"""The collector stores what the exchange said, when it was final, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from app.core.database import Database
from app.core.exceptions import ExchangeError
from app.domain.gap import GapStatus
from app.models import MarketDataFinding, MarketDataRevision, QuarantinedRow
from app.models.knowledge import find_horizon
from app.services.collection.collector import CandleSource
from tests.processes.collector_bench import (
    COLLECT,
    MINUTE,
    NOON,
    Bench,
    WithoutEther,
    open_bench,
)


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A collector on a market of four symbols."""
    with open_bench(database) as bench:
        yield bench


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
        (kept,) = session.scalars(select(QuarantinedRow))
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


@pytest.mark.parametrize("path", ["time", "klines"])
def test_an_exchange_that_is_down_does_not_stop_the_horizon(
    bench: Bench, path: str
) -> None:
    bench.tick()
    bench.market.set_faults({"kind": "html", "path": path})

    with pytest.raises(ExchangeError):
        bench.tick(after=6 * 60 * MINUTE)

    with bench.database.session_scope() as session:
        assert find_horizon(session) == bench.clock.now()


def test_a_series_that_fails_is_asked_for_once_a_pass(bench: Bench) -> None:
    bench.admit("ETH")
    sources: list[WithoutEther] = []

    def wrap(source: CandleSource) -> CandleSource:
        sources.append(WithoutEther(source))
        return sources[0]

    few = COLLECT.model_copy(update={"page_limit": 10})
    collector = bench.open_collector(bench.run_id, few, wrap)

    collector.tick(bench.clock.now())

    asked = sources[0].asked
    assert asked.count("BTC/USDT") >= 3, "its history takes as many pages"
    assert asked.count("ETH/USDT") == 1
    collector.bridge.close(collector.close())


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
