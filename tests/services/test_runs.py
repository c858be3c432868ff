"""Each run is stored once, and a database keeps the data of one market only."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.config.settings import ReplaySettings
from app.core.database import Database
from app.core.exceptions import ConfigurationError
from app.core.market_identity import replay_identity
from app.models import ConfigurationHistory
from app.services.runs import RunRecord, end_run, record_run
from tests.services.world import at


def run(market: str = "replay:simulated:7", **configuration: int) -> RunRecord:
    return RunRecord(uuid.uuid4(), "up", market, dict(configuration), "1.0")


def test_a_run_is_stored_once_with_its_configuration(database: Database) -> None:
    one = run(bars=5)
    with database.session_scope() as session:
        record_run(session, one, at(0))
    with database.session_scope() as session:
        record_run(session, one, at(9))

        (stored,) = ConfigurationHistory.get_latest(session, 10)
        assert stored.started_at == at(0) and stored.code_version == "1.0"
        assert stored.configuration["bars"] == 5


def test_processes_of_a_run_that_start_together_record_it_once(
    database: Database,
) -> None:
    one, barrier = run(), threading.Barrier(6)

    def start(_: int) -> None:
        with database.session_scope() as session:
            barrier.wait()
            record_run(session, one, at(0))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(start, range(6)))
    with database.session_scope() as session:
        assert len(ConfigurationHistory.get_latest(session, 10)) == 1


def test_the_hash_tells_configurations_apart(database: Database) -> None:
    with database.session_scope() as session:
        for record in (run(a=1, b=2), run(b=2, a=1), run(a=1, b=3)):
            record_run(session, record, at(0))

        hashes = [row.sha256 for row in ConfigurationHistory.get_latest(session, 10)]
        assert len(hashes) == 3 and len(set(hashes)) == 2


def test_another_market_is_refused(database: Database) -> None:
    with database.session_scope() as session:
        record_run(session, run(), at(0))

    with database.session_scope() as session:
        with pytest.raises(ConfigurationError, match="'binance'.*DATABASE_URL"):
            record_run(session, run("binance"), at(1))


def test_recordings_in_folders_of_one_name_are_two_markets(
    database: Database,
) -> None:
    first, second = (
        replay_identity(ReplaySettings(recording=folder))
        for folder in ("/a/bars", "/b/bars")
    )
    for market in ("recording:bars", first):  # the name alone, as it once was
        with database.session_scope() as session:
            record_run(session, run(market), at(0))

    with database.session_scope() as session:
        with pytest.raises(ConfigurationError, match="recording:bars,folder="):
            record_run(session, run(second), at(1))


def test_the_end_is_noted_once(database: Database) -> None:
    one = run()
    with database.session_scope() as session:
        record_run(session, one, at(5))
        end_run(session, one.run_id, at(8))
        end_run(session, one.run_id, at(9))
        end_run(session, uuid.uuid4(), at(9))

        stored = ConfigurationHistory.find_by_run_id(session, one.run_id)
        assert stored is not None and stored.ended_at == at(8)


def test_a_clock_that_went_back_ends_a_run_at_its_start(database: Database) -> None:
    one = run()
    with database.session_scope() as session:
        record_run(session, one, at(5))
        end_run(session, one.run_id, at(4))

        stored = ConfigurationHistory.find_by_run_id(session, one.run_id)
        assert stored is not None and stored.ended_at == at(5)
