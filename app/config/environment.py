"""Configuration from the environment: overrides, short names and secret files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.config.keys import (
    ENVIRONMENT_PREFIX,
    SHORT_NAMES,
    Key,
    all_keys,
    sections,
    unknown_key_text,
)
from app.config.yaml_reader import YamlProblem, parse_yaml

MAX_SECRET_BYTES = 64 * 1024


@dataclass(frozen=True)
class Override:
    """The value that one variable gives one key; `source` is the variable."""

    path: str
    value: Any
    source: str


def read_overrides(
    environ: Mapping[str, str],
) -> tuple[dict[str, Override], list[str]]:
    """Key path to override, and one line for each variable that is refused.

    Text keys take their value literally, all others as YAML. The full name of a key
    wins over its short one (`DATABASE_URL`), so that a command's option can win over
    both; an empty short name counts as not set, which is what compose files produce.
    """
    overrides: dict[str, Override] = {}
    problems: list[str] = []
    for name in sorted(environ, key=lambda name: (not _is_short(name), name)):
        try:
            override = _read_variable(name, environ)
        except _Refused as error:
            problems.append(str(error))
            continue
        if override is not None:
            overrides[override.path] = override
    return overrides, problems


class _Refused(ValueError):
    """A line for the user."""


def _read_variable(name: str, environ: Mapping[str, str]) -> Override | None:
    path, is_file = _target(name)
    if path is None:
        return None
    key = all_keys().get(path)
    if key is None:
        if path in sections():
            raise _Refused(f"{name}: {path} is a section; set one of its keys")
        raise _Refused(f"{name}: {path}: {unknown_key_text(path)}")
    text = environ[name]
    if not text and (is_file or name in SHORT_NAMES):
        return None
    if is_file and environ.get(name.removesuffix("_FILE")):
        raise _Refused(f"{path}: set by both {name.removesuffix('_FILE')} and {name}")
    if is_file:
        text = _read_secret_file(name, Path(text))
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _Refused(f"{name}: the value is not UTF-8 text")
    return Override(path, _parse(name, key, text), name)


def _target(name: str) -> tuple[str | None, bool]:
    """The key path that a variable names, and whether it names a file instead."""
    if name in SHORT_NAMES:
        return SHORT_NAMES[name], False
    stem = name.removesuffix("_FILE")
    if stem in SHORT_NAMES:
        return SHORT_NAMES[stem], True
    if not name.startswith(ENVIRONMENT_PREFIX):
        return None, False
    path = _to_path(name)
    if path not in all_keys() and _to_path(stem) in all_keys():
        return _to_path(stem), True
    return path, False


def _is_short(name: str) -> bool:
    return name.removesuffix("_FILE") in SHORT_NAMES


def _to_path(name: str) -> str:
    return name.removeprefix(ENVIRONMENT_PREFIX).replace("__", ".").lower()


def _read_secret_file(name: str, path: Path) -> str:
    """A file's text without its one trailing line end."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise _Refused(f"{name}: cannot read {path}: {error.strerror}") from None
    if len(content) > MAX_SECRET_BYTES:
        raise _Refused(f"{name}: {path} is above the bound {MAX_SECRET_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Refused(f"{name}: {path} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _parse(name: str, key: Key, text: str) -> Any:
    if key.is_text:
        return text
    try:
        return parse_yaml(text)
    except YamlProblem as error:
        raise _Refused(f"{name}: {key.path}: not a YAML value: {error}") from None
