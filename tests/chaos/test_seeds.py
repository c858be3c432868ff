"""A few seeds of the chaos suite; `make chaos SEEDS=200` runs many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.bench import open_bench
from tests.chaos.plan import plan_of
from tests.chaos.suite import Worker

SEEDS = (1, 2, 9, 10)  # of two markets: a reference run each


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """What all seeds share."""
    with open_bench() as bench:
        yield Worker(bench)


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_leave_what_the_undisturbed_run_leaves(
    worker: Worker, seed: int
) -> None:
    verdict = worker.judge(plan_of(seed))

    story = "\n".join(verdict.story)
    assert not verdict.problems, f"make chaos SEED={seed}\n{story}"


def test_a_seed_always_has_the_same_plan() -> None:
    assert plan_of(4711) == plan_of(4711)
    assert len({repr(plan_of(seed).steps) for seed in range(50)}) == 50
