"""`python -m tests.chaos --seeds 200`: seeds in parallel; `--seed 123`: one, told."""

from __future__ import annotations

import argparse
import sys
import time

from tests.chaos.bench import open_bench
from tests.chaos.plan import plan_of
from tests.chaos.suite import Worker, run_seeds


def main() -> int:
    """Exit code 1 if any seed fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seed", type=int, help="run this one and tell its story")
    parser.add_argument("--seeds", type=int, default=200, help="how many to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=4, help="at once")
    given = parser.parse_args()
    if given.seed is not None:
        return _tell(given.seed)
    seeds = range(given.first, given.first + given.seeds)
    return run_seeds(seeds, given.jobs)


def _tell(seed: int) -> int:
    with open_bench() as bench:
        worker = Worker(bench)
        began = time.monotonic()
        verdict = worker.judge(plan_of(seed))
        print("\n".join(verdict.story))
        print(dict(verdict.counts))
        print(f"seed {seed}: {time.monotonic() - began:.1f} s")
        for problem in verdict.problems:
            print(f"PROBLEM {problem}")
        if verdict.problems:
            print((bench.folder / "collector.log").read_text()[-6000:])
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
