"""The strategies there are, by the name of their section in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.config.settings import StrategiesSettings
from app.strategies.base import BaseStrategy
from app.strategies.momentum import MomentumStrategy

# A new strategy is a class, a section of StrategiesSettings named like it, and a line.
STRATEGIES: Mapping[str, Callable[[Any], BaseStrategy]] = {
    MomentumStrategy.name: MomentumStrategy,
}


def build_strategies(settings: StrategiesSettings) -> list[BaseStrategy]:
    """The enabled strategies, in the order of the registry.

    Raises ConfigurationError where a section cannot be used.
    """
    sections = {name: getattr(settings, name) for name in STRATEGIES}
    return [
        build(sections[name])
        for name, build in STRATEGIES.items()
        if sections[name].enabled
    ]
