"""The chaos suite would notice: each planted bug is caught, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.chaos.bench import Bench, open_bench
from tests.chaos.mutants.directed import EXPOSURES, with_bug
from tests.chaos.mutants.planting import MUTANTS
from tests.chaos.plan import Plan
from tests.chaos.running import run_plan

_PLANS = {exposure.plan.__name__: exposure.plan for exposure in EXPOSURES.values()}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """What all runs of this module share."""
    with open_bench() as opened:
        yield opened


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_caught(bench: Bench, name: str) -> None:
    verdict = run_plan(bench, with_bug(name))

    words = EXPOSURES[name].words
    assert any(words in problem for problem in verdict.problems), verdict.story


@pytest.mark.parametrize("plan", _PLANS.values(), ids=_PLANS)
def test_without_a_bug_the_same_plan_is_innocent(
    bench: Bench, plan: Callable[[], Plan]
) -> None:
    verdict = run_plan(bench, plan())

    assert verdict.problems == [], "\n".join(verdict.story)
