"""The loop that every background process shares."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.core.database import Database
from app.core.exceptions import ConfigurationError, ExitCode, RetryableError
from app.domain.process import ProcessState
from app.models import Cryptocurrency, ProcessHeartbeat
from app.processes.async_bridge import Interrupted
from tests.models.factories import add_market, add_run
from tests.processes.probe import Probe
from tests.processes.waiting import wait_until

WAIT = 60  # seconds; far more than any of these takes


@pytest.fixture
def run_id(database: Database) -> UUID:
    with database.session_scope() as session:
        return add_run(session)


@pytest.fixture(autouse=True)
def own_signal_handlers() -> Iterator[None]:
    """`run` takes over signals; give them back to pytest."""
    kept = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def start(
    database_url: str, run_id: UUID
) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts the probe as a process of its own; kills it if it is left over."""
    started = []

    def start_probe(mode: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.probe", mode, str(run_id)],
            env={**os.environ, "DATABASE_URL": database_url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_probe
    for process in started:
        process.kill()
        process.communicate()


def heartbeat(database: Database) -> ProcessHeartbeat:
    with database.session_scope() as session:
        row = session.scalars(select(ProcessHeartbeat)).one()
        session.expunge(row)
    return row


def test_errors_that_may_pass_are_tried_again(database: Database, run_id: UUID) -> None:
    states = []

    def fail_twice(probe: Probe) -> None:
        states.append(heartbeat(database).state)
        if len(states) <= 2:
            raise RetryableError("the exchange hiccuped")
        probe.stopping.set()

    assert Probe(database, run_id, fail_twice).run() is ExitCode.OK
    row = heartbeat(database)
    assert states[0] is ProcessState.STARTING
    assert (row.state, row.ticks, row.errors) == (ProcessState.STOPPED, 3, 2)
    assert row.last_error == "RetryableError: the exchange hiccuped"
    assert row.last_success_at is not None


def test_an_error_that_cannot_pass_ends_the_process_with_its_code(
    database: Database, run_id: UUID
) -> None:
    def refuse(probe: Probe) -> None:
        raise ConfigurationError("exchange.id: 'x' is unknown")

    with pytest.raises(ConfigurationError, match="exchange.id") as caught:
        Probe(database, run_id, refuse).run()
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    row = heartbeat(database)
    assert row.state is ProcessState.FAILED and "'x' is unknown" in str(row.last_error)


def test_a_defect_ends_the_process_with_code_1(
    database: Database, run_id: UUID
) -> None:
    def divide(probe: Probe) -> None:
        raise ZeroDivisionError("a defect")

    assert Probe(database, run_id, divide).run() is ExitCode.FAILED
    assert heartbeat(database).state is ProcessState.FAILED


def test_a_long_pass_stops_where_it_reports_progress(
    database: Database, run_id: UUID
) -> None:
    reached = []

    def work(probe: Probe) -> None:
        probe.progress(pages=1)
        reached.append(heartbeat(database).state)
        probe.stopping.set()
        with pytest.raises(Interrupted):
            probe.progress(pages=2)
        raise Interrupted

    assert Probe(database, run_id, work).run() is ExitCode.OK
    assert len(reached) == 1
    row = heartbeat(database)
    assert row.state is ProcessState.STOPPED and row.detail == {"pages": 2}


def test_sigterm_ends_a_pass_that_waits_for_a_row_lock(
    database: Database, run_id: UUID, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    with database.session_scope() as session:
        add_market(session, run_id)
    with database.session_scope() as holder:
        holder.scalars(select(Cryptocurrency).with_for_update()).all()
        process = start("locked")
        wait_until(lambda: _is_waiting_for_a_lock(database))
        process.send_signal(signal.SIGTERM)
        # Nobody lets go of the row meanwhile, and nobody kills the process.
        assert process.wait(WAIT) == 0
    assert heartbeat(database).state is ProcessState.STOPPED


def test_sigterm_ends_a_pass_that_nothing_can_interrupt(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start("stuck")
    assert process.stdout is not None and process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT) == 0
    assert process.stderr is not None
    assert "stopped_while_blocked" in process.stdout.read() + process.stderr.read()


def test_a_second_sigterm_ends_the_process_at_once(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start("stuck")
    assert process.stdout is not None and process.stdout.readline() == "stuck\n"
    # Signals of one number merge while pending: send on until it is gone.
    wait_until(
        lambda: process.send_signal(signal.SIGTERM) or process.poll() is not None
    )
    # 143 is the second signal's; waiting in vain for the pass would have given 0.
    assert process.returncode == 128 + signal.SIGTERM


def test_the_watchdog_ends_a_process_without_progress(
    start: Callable[[str], subprocess.Popen[str]],
) -> None:
    process = start("stalled")
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == ExitCode.STALLED
    assert "no_progress" in out + err
    assert "never_return" in err  # where it hung


def _is_waiting_for_a_lock(database: Database) -> bool:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    with database.session_scope() as session:
        return bool(session.scalar(query))
