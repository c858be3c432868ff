"""Every way of getting one key of the example configuration wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.yaml.example"


@dataclass(frozen=True)
class Mutation:
    """A configuration with one fault; the refusal must name `key`."""

    key: str
    kind: str
    data: dict[str, Any]


def example_data() -> dict[str, Any]:
    """The example as plain data, by PyYAML's own safe loader."""
    data = yaml.safe_load(EXAMPLE.read_text())
    # PyYAML makes times of text; the configuration file holds text.
    data["replay"]["start"] = "2025-01-05T23:52:00Z"
    return dict(data)


def mutations() -> Iterator[Mutation]:
    """Each key renamed, and each value replaced by every wrong type or bound."""
    original = example_data()
    for path, value in _leaves(original, ()):
        name = str(path[-1])
        renamed = copy.deepcopy(original)
        section = _parent(renamed, path)
        section[f"{name}x"] = section.pop(name)
        yield Mutation(_dotted((*path[:-1], f"{name}x")), "renamed", renamed)
        for kind, wrong in _wrong_values(value):
            changed = copy.deepcopy(original)
            _parent(changed, path)[name] = wrong
            yield Mutation(_dotted(path), kind, changed)


def _wrong_values(value: Any) -> Iterator[tuple[str, Any]]:
    yield "section", {"unexpected": 1}
    yield "null", None
    if isinstance(value, bool):
        yield from (("text", "maybe"), ("number", 1), ("list", [value]))
    elif isinstance(value, (int, float)):
        yield from (("text", "many"), ("boolean", True), ("list", [value]))
        yield from (("not a number", float("nan")), ("infinite", float("inf")))
        yield "below every bound", -1e9
    elif isinstance(value, str):
        yield from (("number", 5), ("boolean", True), ("list", [value]))
    elif isinstance(value, list):
        yield from (("text", "many"), ("number", 5), ("nested list", [[1]]))


def _leaves(data: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _parent(data: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for name in path[:-1]:
        data = data[name]
    return data


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(path)
