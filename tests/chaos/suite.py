"""Seeds, each judged against the undisturbed run of its market, on several benches."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence

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
        verdict.problems += differences(verdict.bars, reference.bars, verdict.starts)
        return verdict

    def _reference(self, plan: Plan) -> Verdict:
        number = plan.case.number
        if number not in self._references:
            found = run_plan(self._bench, undisturbed(plan.case))
            if found.problems:
                raise AssertionError(f"the undisturbed run has {found.problems[:3]}")
            self._references[number] = found
        return self._references[number]


def run_seeds(seeds: Sequence[int], jobs: int) -> int:
    """Run `seeds` on `jobs` benches; print what fails and how to see it again."""
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    waiting, done = context.Queue(), context.Queue()
    for seed in seeds:
        waiting.put(seed)
    for _ in range(jobs):
        waiting.put(None)
    workers = [
        context.Process(target=_work, args=(waiting, done), daemon=False)
        for _ in range(jobs)
    ]
    for worker in workers:
        worker.start()
    failed, counts, spent = [], Counter[str](), 0.0
    for _ in seeds:
        seed, problems, counted, seconds = done.get(timeout=600)
        counts += counted
        spent += seconds
        if problems:
            failed.append(seed)
            print(f"seed {seed} FAILED; see it again with: make chaos SEED={seed}")
            for problem in problems[:6]:
                print(f"  {problem}")
    for worker in workers:
        worker.join()
    total = time.monotonic() - began
    for name, count in sorted(counts.items()):
        print(f"  {count:7d} {name}")
    print(
        f"{len(seeds)} seeds, {len(failed)} failed, {total:.0f} s "
        f"({spent / max(1, len(seeds)):.2f} s a seed on each of {jobs} benches)"
    )
    return 1 if failed else 0


def _work(waiting: multiprocessing.Queue, done: multiprocessing.Queue) -> None:
    os.environ.pop("CRYPTO_BOT_FAILPOINTS", None)
    with open_bench() as bench:
        worker = Worker(bench)
        while (seed := waiting.get()) is not None:
            verdict = worker.judge(plan_of(seed))
            done.put((seed, verdict.problems, verdict.counts, verdict.seconds))
