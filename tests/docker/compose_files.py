"""The compose files as data, the way the compose program reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = "docker-compose.yml"
DEVELOPMENT = "docker-compose.dev.yml"
PROGRAM_IMAGE = "crypto-trading-bot:0.1.0"
_VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")


def read_compose(name: str) -> dict[str, Any]:
    """A compose file with its anchors and merges resolved, variables untouched."""
    data: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return data


def services(name: str = BASE) -> dict[str, dict[str, Any]]:
    """The services of a compose file by name."""
    found: dict[str, dict[str, Any]] = read_compose(name)["services"]
    return found


def program_services() -> dict[str, dict[str, Any]]:
    """The services that run this project's image."""
    return {
        name: service
        for name, service in services().items()
        if service["image"] == PROGRAM_IMAGE
    }


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """`text` with `${NAME:-default}` replaced as compose does."""
    return _VARIABLE.sub(lambda m: environ.get(m[1]) or m[2], text)
