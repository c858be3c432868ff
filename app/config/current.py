"""The settings of this process: built once by its entry, read by everyone else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from app.config.keys import unknown_key_text
from app.config.loader import ConfigLoader
from app.config.settings import Settings
from app.domain.errors import ConfigurationError

_NOT_LOADED = (
    "no configuration is loaded: the program's entry calls load_config() first"
)
_loader: ConfigLoader | None = None
_settings: Settings | None = None


def load_config(
    path: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Load, keep and return the settings (`environ` defaults to the process's)."""
    global _loader, _settings
    loader = ConfigLoader(path, os.environ if environ is None else environ)
    settings = loader.load()
    _loader, _settings = loader, settings
    return settings


def get_config() -> Settings:
    """The settings kept by `load_config`."""
    if _settings is None:
        raise ConfigurationError(_NOT_LOADED)
    return _settings


def reload_config() -> Settings:
    """Load again from the same sources; on an error the last good settings stay."""
    global _settings
    if _loader is None:
        raise ConfigurationError(_NOT_LOADED)
    _settings = _loader.load()
    return _settings


def get_nested_config(path: str) -> Any:
    """The section or value at a dotted path, for example `risk.risk_per_trade`.

    Raises ConfigurationError with the nearest valid key for a path that is not one.
    """
    value: Any = get_config()
    for name in path.split("."):
        if not isinstance(value, BaseModel) or name not in type(value).model_fields:
            raise ConfigurationError(f"{path}: {unknown_key_text(path)}")
        value = getattr(value, name)
    return value
