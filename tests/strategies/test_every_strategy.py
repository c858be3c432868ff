"""Each registered strategy, with its default settings, against the shared checks."""

from __future__ import annotations

import pytest

from app.config.settings import StrategiesSettings
from app.strategies.registry import STRATEGIES, build_strategies
from tests.strategies.checks import Check, every_check

DEFAULTS = StrategiesSettings()


@pytest.mark.parametrize("check", every_check(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", STRATEGIES)
def test_strategy_passes(name: str, check: Check) -> None:
    check(STRATEGIES[name](getattr(DEFAULTS, name)))


def test_every_section_of_the_configuration_is_a_strategy_named_like_it() -> None:
    built = build_strategies(DEFAULTS)

    assert list(STRATEGIES) == list(StrategiesSettings.model_fields)
    assert [strategy.name for strategy in built] == list(STRATEGIES)


def test_a_disabled_strategy_is_not_built() -> None:
    sections = {
        name: getattr(DEFAULTS, name).model_copy(update={"enabled": False})
        for name in STRATEGIES
    }

    assert build_strategies(DEFAULTS.model_copy(update=sections)) == []
