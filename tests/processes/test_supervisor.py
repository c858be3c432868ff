"""Children are kept alive while they should be, and never outlive their parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.exceptions import ExitCode, FatalError
from app.processes.supervisor import ChildSpec, Supervisor
from tests.processes.waiting import wait_until

SLEEP = "import time; time.sleep(600)"
DEAF = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
)
# A parent whose child keeps a connection open for as long as it lives.
PARENT = """
import sys, threading
from pathlib import Path
from app.processes.supervisor import ChildSpec, Supervisor
child = (
    "import socket, sys;"
    "s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)"
)
command = [sys.executable, "-c", child, sys.argv[1]]
Supervisor([ChildSpec("child", command, {}, Path(sys.argv[2]))]).start()
threading.Event().wait()
"""


def spec(folder: Path, name: str, program: str, *words: str) -> ChildSpec:
    command = [sys.executable, "-c", program, *words]
    return ChildSpec(name, command, dict(os.environ), folder / f"{name}.log")


@contextmanager
def supervised(*specs: ChildSpec) -> Iterator[Supervisor]:
    supervisor = Supervisor(specs)
    supervisor.start()
    try:
        wait_until(lambda: all(status.pid for status in supervisor.statuses()))
        yield supervisor
    finally:
        supervisor.stop()


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    with supervised(
        spec(tmp_path, "killed", SLEEP), spec(tmp_path, "spared", SLEEP)
    ) as supervisor:
        before, spared = supervisor.statuses()
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        wait_until(lambda: supervisor.statuses()[0].pid != before.pid)
        after, untouched = supervisor.statuses()
    assert after.restarts == 1
    assert (untouched.pid, untouched.restarts) == (spared.pid, 0)


def test_a_child_that_cannot_be_started_now_is_started_later(tmp_path: Path) -> None:
    # A file in the way of the folder of the log is one of many such errors.
    (tmp_path / "logs").touch()
    barred = spec(tmp_path / "logs", "barred", SLEEP)
    supervisor = Supervisor([barred, spec(tmp_path, "spared", SLEEP)])
    supervisor.start()
    try:
        wait_until(lambda: supervisor.statuses()[1].pid)
        assert supervisor.failed_for_good() is None
        (tmp_path / "logs").unlink()
        wait_until(lambda: supervisor.statuses()[0].pid)
        assert [status.restarts for status in supervisor.statuses()] == [0, 0]
    finally:
        supervisor.stop()


def test_a_restart_that_fails_is_tried_again(tmp_path: Path) -> None:
    program = tmp_path / "program"
    child = ChildSpec("gone", [str(program)], {}, tmp_path / "gone.log")
    program.write_text(f"#!{sys.executable}\n{SLEEP}")
    program.chmod(0o755)
    with supervised(child) as supervisor:
        first = supervisor.statuses()[0].pid
        assert first is not None
        program.rename(tmp_path / "away")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.statuses()[0].exit_code == -signal.SIGKILL)
        supervisor._stopping.wait(1.0)  # some attempts
        (tmp_path / "away").rename(program)
        wait_until(lambda: supervisor.statuses()[0].exit_code is None)
        (status,) = supervisor.statuses()
    assert status.pid != first and status.restarts == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_supervisor_that_fails_stops_its_children_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with supervised(spec(tmp_path, "child", SLEEP)) as supervisor:
        monkeypatch.setattr(supervisor, "_look_after", None)
        wait_until(lambda: supervisor.statuses()[0].exit_code == -signal.SIGTERM)
        assert supervisor._thread is not None
        supervisor._thread.join()
        with pytest.raises(FatalError, match="supervisor ended"):
            supervisor.failed_for_good()


@pytest.mark.parametrize("code", [ExitCode.CONFIGURATION, ExitCode.USAGE])
def test_a_child_that_no_restart_can_mend_is_reported(
    tmp_path: Path, code: ExitCode
) -> None:
    child = spec(tmp_path, "hopeless", f"print('why'); raise SystemExit({int(code)})")
    with supervised(child) as supervisor:
        wait_until(supervisor.failed_for_good)
        failed = supervisor.failed_for_good()
    assert failed is not None
    assert (failed.name, failed.restarts, failed.exit_code) == ("hopeless", 0, code)
    assert child.log_path.read_text() == "why\n"


def test_a_stop_ends_every_child_even_a_deaf_one(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with supervised(
        spec(tmp_path, "polite", SLEEP), spec(tmp_path, "deaf", DEAF, str(ready))
    ) as supervisor:
        wait_until(ready.exists)
        supervisor.stop()
        codes = [status.exit_code for status in supervisor.statuses()]
    assert codes == [-signal.SIGTERM, -signal.SIGKILL]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the children")
def test_a_child_dies_with_its_killed_parent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = str(server.getsockname()[1])
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, port, str(tmp_path / "child.log")]
        )
        try:
            child, _ = server.accept()
            child.settimeout(60)
        finally:
            parent.kill()
            parent.wait()
        with child:
            assert child.recv(1) == b""  # its end of the connection is closed
