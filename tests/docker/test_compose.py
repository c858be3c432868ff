"""The compose files are valid, hardened, and start what exists."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
import typer.main

from app.cli.main import cli
from app.config.environment import read_overrides
from app.domain.process import ProcessName
from tests.docker.compose_files import (
    BASE,
    DEVELOPMENT,
    ROOT,
    interpolate,
    program_services,
    read_compose,
    services,
)

_SCHEMA = json.loads((Path(__file__).parent / "compose.schema.json").read_text())


@pytest.mark.parametrize("name", [BASE, DEVELOPMENT])
def test_a_compose_file_satisfies_the_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)
    jsonschema.Draft202012Validator(_SCHEMA).validate(read_compose(name))


def test_the_compose_program_accepts_the_files() -> None:
    files = ["-f", BASE, "-f", DEVELOPMENT]
    try:
        probe = subprocess.run(["docker", "compose", "version"], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no docker client on this machine")
    if probe.returncode != 0:
        pytest.skip("the docker client has no compose plugin")
    result = subprocess.run(
        ["docker", "compose", *files, "--profile", "*", "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_every_name_a_service_uses_is_defined() -> None:
    data = read_compose(BASE)
    for name, service in data["services"].items():
        assert set(service["networks"]) <= set(data["networks"]), name
        assert set(service.get("secrets", [])) <= set(data["secrets"]), name
        for dependency, rule in service.get("depends_on", {}).items():
            other = data["services"][dependency]
            if rule["condition"] == "service_healthy":
                assert "test" in other["healthcheck"], (name, dependency)
            if "profiles" in other:
                assert rule["required"] is False, (name, dependency)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert source == "./backups" or (ROOT / source).exists(), source
            else:
                assert source in data["volumes"], source


def test_every_service_is_hardened_and_limited() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert any(entry.startswith("/tmp") for entry in service["tmpfs"]), name
        assert service["mem_limit"] and service["cpus"] and service["pids_limit"], name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert "ports" not in service, f"{name} is reachable from outside"
        assert "privileged" not in service and "cap_add" not in service, name


def test_no_secret_stands_in_the_files() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or variable.endswith("_FILE"), name
            assert ":" not in value.partition("://")[2].partition("@")[0] or (
                "@" not in value
            ), f"{name}: {variable} holds a password"


def test_there_is_one_service_for_every_process() -> None:
    found = services()
    for process in ProcessName:
        service = found[process.value]
        assert service["command"] == ["process", process.value]
        assert service["healthcheck"]["test"] == [
            "CMD",
            "crypto-bot",
            "healthcheck",
            process.value,
        ]
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"] == "10s"
        assert service["depends_on"]["migrate"] == {
            "condition": "service_completed_successfully"
        }


@pytest.mark.parametrize("name", sorted(program_services()))
def test_a_command_of_a_service_is_a_command_of_the_program(name: str) -> None:
    service = program_services()[name]
    entrypoint = service.get("entrypoint", ["crypto-bot"])
    assert entrypoint[0] == "crypto-bot"
    commands = [[*entrypoint[1:], *service["command"]]]
    test = service["healthcheck"].get("test", [])
    if test[1:2] == ["crypto-bot"]:
        commands.append(test[2:])
    program = typer.main.get_group(cli)
    for command, *arguments in commands:
        # Parses every argument as the program would, and runs nothing.
        found = program.commands.get(command)
        assert found is not None
        found.make_context(command, arguments)


@pytest.mark.parametrize("chosen", ["", "binance"])
def test_the_environment_of_a_service_configures_the_program(
    chosen: str, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    for name, service in program_services().items():
        environment = {
            variable: interpolate(value, {"EXCHANGE_ID": chosen})
            for variable, value in service["environment"].items()
        }
        if "DATABASE_PASSWORD_FILE" in environment:
            assert environment["DATABASE_PASSWORD_FILE"] == (
                "/run/secrets/database_password"
            )
            assert service["secrets"] == ["database_password"]
            environment["DATABASE_PASSWORD_FILE"] = str(secret)
        overrides, problems = read_overrides(environment)
        assert problems == []
        expected = chosen if chosen and name != "replay" else "replay"
        assert overrides["exchange.id"].value == expected


def test_the_replay_market_is_where_the_processes_look() -> None:
    replay = services()["replay"]
    port = replay["command"][replay["command"].index("--port") + 1]
    url = services()["collector"]["environment"]["CRYPTO_BOT__EXCHANGE__REPLAY_URL"]
    assert url == f"http://replay:{port}"
    assert any(f"127.0.0.1:{port}/" in word for word in replay["healthcheck"]["test"])


def test_the_service_that_downloads_archives_may_keep_them() -> None:
    service = services()["backfill"]
    (target,) = (volume.split(":")[1] for volume in service["volumes"])
    image = (ROOT / "Dockerfile").read_text()
    assert f"CRYPTO_BOT__APPLICATION__STATE_DIRECTORY={target}\n" in image
    # An empty volume takes the owner of the image's folder.
    assert f"--owner=10001 --group=10001 --mode=0750 {target}\n" in image
    assert "outside" in service["networks"]


def test_development_adds_to_services_that_exist() -> None:
    base, development = services(), services(DEVELOPMENT)
    assert set(development) <= set(base)
    for name, service in development.items():
        assert set(service["networks"] if "networks" in service else []) <= {
            "inside",
            "outside",
        }
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} is open to the network"
            assert "outside" in service["networks"], name
        for volume in service.get("volumes", []):
            source, target, mode = volume.split(":")
            assert (ROOT / source).is_dir() and mode == "ro"
            assert target.startswith("/srv/crypto-bot/")
