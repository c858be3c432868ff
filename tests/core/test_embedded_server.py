"""The embedded server keeps its data, dies with its owner and comes back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.exceptions import ConfigurationError, DatabaseUnavailable
from app.core.postgres.access import connect_or_start, database_access
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation
from app.core.postgres.server import EmbeddedServer
from tests.database_fixtures import ROOT, temporary_folder


@pytest.fixture(scope="module")
def initialised() -> Iterator[ServerLocation]:
    """A server's folder after its first run; copied, since initdb takes a second."""
    with temporary_folder() as folder:
        with _running(ServerLocation(folder)):
            pass
        yield ServerLocation(folder)


@pytest.fixture
def location(initialised: ServerLocation) -> Iterator[ServerLocation]:
    with temporary_folder() as folder:
        copy = ["cp", "-a", f"{initialised.directory}/.", str(folder)]
        subprocess.run(copy, check=True)
        yield ServerLocation(folder)


@contextmanager
def _running(location: ServerLocation) -> Iterator[EmbeddedServer]:
    access = connect_or_start(location, server_identity())
    assert access.server is not None
    try:
        yield access.server
    finally:
        access.server.stop()


@contextmanager
def _owner_process(
    location: ServerLocation,
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.core.embedded_owner", str(location.directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, _report(process)
    finally:
        process.communicate(timeout=30)


def _report(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("ready "):
            return dict(json.loads(line.removeprefix("ready ")))
    pytest.fail("the owner process ended early")


def _execute(url: str, statement: str) -> list[Any]:
    database = Database(DatabaseSettings(), url)
    try:
        with database.session_scope() as session:
            result = session.execute(text(statement))
            return list(result.scalars()) if result.returns_rows else []
    finally:
        database.dispose()


def test_data_port_and_passwords_stay_between_runs(location: ServerLocation) -> None:
    with _running(location) as first:
        url = first.url
        _execute(url, "CREATE TABLE kept AS SELECT 7 AS n")

    with _running(location) as second:
        assert second.url == url
        assert _execute(second.url, "SELECT n FROM kept") == [7]


def test_only_loopback_and_only_with_the_password(location: ServerLocation) -> None:
    with _running(location) as server:
        listening = {
            (found.laddr.ip, found.laddr.port)
            for found in psutil.Process(server.pid).net_connections()
            if found.status == psutil.CONN_LISTEN
        }
        wrong = server.url.replace(server.connection.password, "guess")
        with pytest.raises(ConfigurationError, match="wrong user or password"):
            _execute(wrong, "SELECT 1")
        superuser = _execute(
            server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        )

    assert listening == {("127.0.0.1", server.connection.port)}
    assert location.connection_file.stat().st_mode & 0o777 == 0o600
    assert superuser == [False]
    assert server.connection.password not in location.log_file.read_text()


def test_a_killed_owner_takes_the_server_along_and_data_is_kept(
    location: ServerLocation,
) -> None:
    with _owner_process(location) as (owner, report):
        _execute(report["url"], "CREATE TABLE kept AS SELECT 7 AS n")
        server = psutil.Process(report["server_pid"])
        owner.kill()
        owner.wait()

        if sys.platform == "linux":
            server.wait(20)  # nobody told it to stop but the kernel

        with _running(location) as again:
            assert _execute(again.url, "SELECT n FROM kept") == [7]


def test_a_restart_waits_for_the_killed_owners_server(location: ServerLocation) -> None:
    with _owner_process(location) as (owner, report):
        os.kill(report["server_pid"], signal.SIGSTOP)  # still there, as on a slow disk
        owner.kill()
        owner.wait()
        os.kill(report["server_pid"], signal.SIGCONT)

        with _running(location) as again:
            assert again.pid != report["server_pid"]
            assert _execute(again.url, "SELECT 1") == [1]


def test_a_killed_server_can_be_started_again(location: ServerLocation) -> None:
    with _running(location) as server:
        url, pid = server.url, server.pid
        _execute(url, "CREATE TABLE kept AS SELECT 7 AS n")
        os.kill(pid, signal.SIGKILL)
        while server.is_alive():
            pass

        server.start()

        assert (server.url, server.is_alive()) == (url, True)
        assert _execute(url, "SELECT n FROM kept") == [7]


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(
    location: ServerLocation,
) -> None:
    with _running(location) as server:
        pid_file = location.data / "postmaster.pid"
        left_behind = pid_file.read_text().split("\n")
        os.kill(server.pid, signal.SIGKILL)
        while server.is_alive():
            pass
        # The number of the dead server now belongs to another process of that user.
        identity = server_identity()
        drop = {"user": identity.uid} if identity.drops_privileges else {}
        stranger = subprocess.Popen(["sleep", "60"], **drop)
        left_behind[0] = str(stranger.pid)
        pid_file.write_text("\n".join(left_behind))

        server.start()

        assert stranger.poll() is None
        stranger.kill()
        stranger.wait()
        assert _execute(server.url, "SELECT 1") == [1]


def test_a_second_process_uses_the_first_ones_server(location: ServerLocation) -> None:
    with _running(location) as server:
        with _owner_process(location) as (_, report):
            assert report["owned"] is False
            assert report["url"] == server.url
        assert server.is_alive()  # leaving does not stop what is not ours


def test_who_shares_a_server_takes_it_over_when_its_owner_ends(
    location: ServerLocation,
) -> None:
    with _running(location) as server:
        shared = connect_or_start(location, server_identity())
        shared.keep_alive()
        assert not shared.owned  # its owner lives
        assert server.is_alive()
    try:
        shared.keep_alive()

        assert shared.owned
        assert _execute(shared.url, "SELECT 1") == [1]
    finally:
        assert shared.server is not None
        shared.server.stop()


def test_a_server_that_had_to_move_is_not_taken_for_the_same(
    location: ServerLocation,
) -> None:
    with _running(location) as server:
        shared = connect_or_start(location, server_identity())
        port = server.connection.port
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(DatabaseUnavailable, match="another program took its port"):
            shared.keep_alive()
    assert shared.server is not None
    shared.server.stop()


def test_processes_that_start_together_share_one_server(
    location: ServerLocation,
) -> None:
    command = [sys.executable, "-m", "tests.core.embedded_owner"]
    command.append(str(location.directory))
    starting = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        reports = [_report(process) for process in starting]
    finally:
        for process in starting:
            process.communicate(timeout=30)

    assert sorted(report["owned"] for report in reports) == [False, False, True]
    assert len({report["url"] for report in reports}) == 1


def test_a_taken_port_is_given_up_for_another(location: ServerLocation) -> None:
    with _running(location) as server:
        port = server.connection.port

    with socket.create_server(("127.0.0.1", port)), _running(location) as moved:
        assert moved.connection.port != port
        assert _execute(moved.url, "SELECT 1") == [1]


def test_a_configured_url_starts_nothing(tmp_path: Path) -> None:
    url = "postgresql://bot@db.example/x"
    settings = DatabaseSettings(url=SecretStr(url))

    with database_access(settings, tmp_path) as access:
        assert (access.url, access.owned) == (url, False)

    assert list(tmp_path.iterdir()) == []
