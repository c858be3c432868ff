"""Seeds, each judged against the undisturbed run of its market, on several benches."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from multiprocessing.util import Finalize

import structlog

from tests.chaos.bench import Bench, open_bench
from tests.chaos.oracles import differences
from tests.chaos.plan import Plan, plan_of, undisturbed
from tests.chaos.running import Verdict, run_plan


class Worker:
    """Runs plans on one bench; knows the undisturbed runs it has made."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._references: dict[int, Verdict] = {}

    def judge(self, plan: Plan) -> Verdict:
        """Run `plan`; its problems, differences from the undisturbed run included."""
        reference = self._reference(plan)
        verdict = run_plan(self._bench, plan)
        verdict.problems += [f"undisturbed: {found}" for found in reference.problems]
        verdict.problems += differences(
            verdict.bars, reference.bars, verdict.starts, plan.case.gone
        )
        return verdict

    def _reference(self, plan: Plan) -> Verdict:
        number = plan.case.number
        if number not in self._references:
            found = run_plan(self._bench, undisturbed(plan.case))
            self._references[number] = found
        return self._references[number]


def run_seeds(seeds: Sequence[int], jobs: int) -> int:
    """Run `seeds` on `jobs` benches; print what fails and how to see it again."""
    began = time.monotonic()
    jobs = min(jobs, len(seeds))
    context = multiprocessing.get_context("spawn")
    counts: Counter[str] = Counter()
    failed, spent = 0, 0.0
    with ProcessPoolExecutor(jobs, context, _open) as workers:
        verdicts = chain.from_iterable(workers.map(_judge, shares(seeds, jobs)))
        for verdict in verdicts:
            counts += verdict.counts
            spent += verdict.seconds
            if not verdict.problems:
                continue
            failed += 1
            print(f"seed {verdict.seed} failed; make chaos SEED={verdict.seed}")
            for problem in verdict.problems[:6]:
                print(f"  {problem[:400]}", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{count:8d} {name}")
    total = time.monotonic() - began
    print(
        f"{len(seeds)} seeds, {failed} failed, {total:.0f} s in all, "
        f"{spent / len(seeds):.2f} s a seed on each of {jobs} benches"
    )
    return 1 if failed else 0


def shares(seeds: Sequence[int], jobs: int) -> list[list[int]]:
    """The seeds in shares for one bench each, as evenly as `jobs` can be busy.

    Seeds of one market stay together, so that its undisturbed run is made once; what
    does not divide evenly is cut into single seeds, which go to whoever is free.
    """
    by_market: dict[int, list[int]] = {}
    for seed in seeds:
        by_market.setdefault(plan_of(seed).case.number, []).append(seed)
    groups = list(by_market.values())
    even = len(groups) - len(groups) % jobs
    return [*groups[:even], *([seed] for group in groups[even:] for seed in group)]


_worker: Worker | None = None


def _open() -> None:
    """In a process of the pool: start what its seeds share."""
    global _worker
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
    )
    parts = ExitStack()
    Finalize(None, parts.close, exitpriority=10)
    _worker = Worker(parts.enter_context(open_bench()))


def _judge(seeds: Sequence[int]) -> list[Verdict]:
    assert _worker is not None
    verdicts = [_worker.judge(plan_of(seed)) for seed in seeds]
    return [replace(verdict, bars={}, starts={}) for verdict in verdicts]
