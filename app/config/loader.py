"""Builds the settings from a file, `.env` and the environment, or says why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError

from app.config.environment import Override, read_overrides
from app.config.keys import sections
from app.config.problems import problem_lines
from app.config.settings import Settings
from app.config.yaml_reader import YamlProblem, read_yaml
from app.domain.errors import ConfigurationError

CONFIG_VARIABLE = "CRYPTO_BOT_CONFIG"
DEFAULT_FILE = Path("config.yaml")
DEFAULT_DOTENV = Path(".env")


class ConfigLoader:
    """One way of configuring a run; `load` may be called again after an edit.

    The later wins: built-in defaults, the YAML file, `.env`, the environment. The
    file is `path`, else `$CRYPTO_BOT_CONFIG`, else `config.yaml` in the working
    folder if there is one. `dotenv=None` looks at no `.env`.
    """

    def __init__(
        self,
        path: Path | None,
        environ: Mapping[str, str],
        dotenv: Path | None = DEFAULT_DOTENV,
    ) -> None:
        self._path = path
        self._environ = environ
        self._dotenv = dotenv

    def load(self) -> Settings:
        """Frozen, validated settings.

        Raises ConfigurationError with one line for every problem found: the key, the
        value (secrets as `***`), the bound and the nearest valid key.
        """
        environ_file, problems = self._read_dotenv()
        path = self._find_file(environ_file)
        data: dict[str, Any] = {}
        if path is not None:
            try:
                data = _read_file(path)
            except YamlProblem as error:
                problems.append(f"{path}: {error}")

        overrides: dict[str, Override] = {}
        for source in (environ_file, self._environ):
            found, refused = read_overrides(source)
            overrides.update(found)
            problems.extend(refused)

        data = _normalise(data)
        for override in overrides.values():
            _put(data, override)
        sources = {override.path: override.source for override in overrides.values()}
        settings, invalid = _validate(data, sources)
        problems.extend(invalid)
        if problems or settings is None:
            raise ConfigurationError(_message(path, problems))
        return settings

    def find_file(self) -> Path | None:
        """The YAML file that `load` would read; None: defaults only."""
        return self._find_file(self._read_dotenv()[0])

    def _find_file(self, environ_file: Mapping[str, str]) -> Path | None:
        if self._path is not None:
            return self._path
        named = self._environ.get(CONFIG_VARIABLE) or environ_file.get(CONFIG_VARIABLE)
        if named:
            return Path(named)
        return DEFAULT_FILE if DEFAULT_FILE.exists() else None

    def _read_dotenv(self) -> tuple[dict[str, str], list[str]]:
        if self._dotenv is None or not self._dotenv.is_file():
            return {}, []
        try:
            values = dotenv_values(
                self._dotenv, interpolate=False, encoding="utf-8-sig"
            )
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            return {}, [f"{self._dotenv}: cannot be read: {reason}"]
        return {name: value for name, value in values.items() if value is not None}, []


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise YamlProblem("no such configuration file")
    if not path.is_file():
        raise YamlProblem("is not a file")
    try:
        return read_yaml(path)
    except OSError as error:
        raise YamlProblem(f"cannot be read: {error.strerror}") from None


def _normalise(data: dict[str, Any]) -> dict[str, Any]:
    """A copy in which a section with nothing under it is an empty one."""

    def visit(value: Any, path: str) -> Any:
        if value is None and path in sections():
            return {}
        if isinstance(value, dict) and (not path or path in sections()):
            prefix = f"{path}." if path else ""
            return {name: visit(item, prefix + name) for name, item in value.items()}
        return value

    result: dict[str, Any] = visit(data, "")
    return result


def _put(data: dict[str, Any], override: Override) -> None:
    *parents, name = override.path.split(".")
    section = data
    for parent in parents:
        inner = section.setdefault(parent, {})
        if not isinstance(inner, dict):
            return  # the file is refused for this section anyway
        section = inner
    section[name] = override.value


def _validate(
    data: dict[str, Any], sources: Mapping[str, str]
) -> tuple[Settings | None, list[str]]:
    # JSON with strict types: a list is a tuple and text a time or enum member, but
    # "5" is no number, 1.0 no whole number and 1 not true.
    try:
        return Settings.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, problem_lines(error, sources)


def _message(path: Path | None, problems: list[str]) -> str:
    where = f" ({path})" if path is not None else ""
    return "\n  ".join([f"the configuration is refused{where}:", *problems])
