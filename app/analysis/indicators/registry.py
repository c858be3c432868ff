"""Every indicator there is, by name: found by walking this room."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import app.analysis.indicators as room
from app.analysis.indicators.base import Indicator
from app.core.exceptions import ConfigurationError


@lru_cache(maxsize=1)
def indicator_classes() -> Mapping[str, type[Indicator]]:
    """The class of each name, aliases left out, in the order of names.

    Raises ConfigurationError where two classes share a name.
    """
    found: dict[str, type[Indicator]] = {}
    for module_info in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        module = importlib.import_module(module_info.name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            is_own = kind.__module__ == module.__name__
            if is_own and issubclass(kind, Indicator) and not inspect.isabstract(kind):
                if kind.name in found:
                    raise ConfigurationError(
                        f"indicator name {kind.name!r} is taken by "
                        f"{found[kind.name].__name__} and {kind.__name__}"
                    )
                found[kind.name] = kind
    return MappingProxyType(dict(sorted(found.items())))


@lru_cache(maxsize=1)
def _classes_and_aliases() -> Mapping[str, type[Indicator]]:
    classes = indicator_classes()
    aliases = {alias: kind for kind in classes.values() for alias in kind.aliases}
    return MappingProxyType({**aliases, **classes})


def known_names() -> tuple[str, ...]:
    """All names and aliases, sorted."""
    return tuple(sorted(_classes_and_aliases()))


def find_indicator_class(name: str) -> type[Indicator] | None:
    """The class that `name` or an alias means, in any case; None where none does."""
    return _classes_and_aliases().get(name.lower())


def make_indicator(kind: type[Indicator], parameters: Mapping[str, Any]) -> Indicator:
    """An indicator with `parameters`, those left out at their defaults.

    Raises ConfigurationError for an unknown one, naming the nearest, and for a value
    out of its bounds.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name in parameters:
        if name not in known:
            near = get_close_matches(str(name), known, 1, 0.0)
            raise ConfigurationError(
                f"{kind.name} has no parameter {name!r}, nearest is {near[0]!r}; "
                f"it has {known}"
            )
    return kind(**parameters)
