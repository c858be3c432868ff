"""From a configuration to the indicators it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.registry import (
    find_indicator_class,
    known_names,
    make_indicator,
)
from app.core.exceptions import ConfigurationError

# Names to parameters; None for the defaults; a list for several of one kind.
IndicatorsConfig = Mapping[
    str, Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None
]


def indicators_from_config(config: IndicatorsConfig) -> list[Indicator]:
    """The indicators in the order of the configuration.

    Raises ConfigurationError for a name or a parameter that is none of ours, naming the
    nearest, and for a value out of its bounds.
    """
    found = []
    for name, parameters in each_entry(config):
        kind = find_indicator_class(name)
        if kind is None:
            raise unknown_indicator(name, known_names())
        found.append(make_indicator(kind, parameters))
    return found


def each_entry(config: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and parameters of each indicator. Raises ConfigurationError for a form that
    is not `{name: parameters}`."""
    if not isinstance(config, Mapping):
        raise ConfigurationError(
            f"indicators must map names to parameters, got {config!r:.80}"
        )
    for name, value in config.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"indicator name must be a text, got {name!r:.80}")
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        for parameters in value if is_list else (value,):
            if parameters is None:
                parameters = {}
            if not isinstance(parameters, Mapping):
                raise ConfigurationError(
                    f"parameters of indicator {name!r} must map names to values, "
                    f"got {parameters!r:.80}"
                )
            yield name, parameters


def unknown_indicator(name: str, known: Iterable[str]) -> ConfigurationError:
    """The error for a name nobody knows, with the nearest of those that are known."""
    names = sorted(known)
    near = get_close_matches(name.lower(), names, 3, 0.4) or names
    return ConfigurationError(
        f"no indicator is called {name!r}; nearest: {', '.join(near)}"
    )
