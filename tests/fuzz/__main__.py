"""Fuzzing from the command line: `python -m tests.fuzz --cases 1000000`."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import structlog

from tests.fuzz.cases import Cases
from tests.fuzz.corpus import load_corpus
from tests.fuzz.run import Tally, run_cases

_SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_SHOWN = 10


def main() -> int:
    """Run the cases asked for; 1 if any of them gave a complaint."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="replay one case and show its reply")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    if options.case is not None:
        return _replay(options.case)
    started = time.monotonic()
    shares = [
        range(options.first + share, options.first + options.cases, options.processes)
        for share in range(options.processes)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        tallies = list(pool.map(_run, shares, repeat(_shared_data())))
    return _report(tallies, time.monotonic() - started)


def _shared_data() -> Path | None:
    return _SHARED_DATA if _SHARED_DATA.is_dir() else None


def _run(numbers: range, shared_data: Path | None) -> Tally:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    # What lives through the run (ccxt is large) need not be looked at again and again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    return run_cases(numbers, shared_data)


def _replay(number: int) -> int:
    case = Cases(load_corpus(_shared_data())).case(number)
    reply = case.reply
    print(f"case {number}: {case.subject.kind.value} {case.subject.path}")
    print(f"status {reply.status}, headers {reply.headers}, cut: {reply.is_cut}")
    print(reply.body.decode("utf-8", "backslashreplace")[:4000])
    return _report([_run(range(number, number + 1), _shared_data())], 0.0)


def _report(tallies: list[Tally], seconds: float) -> int:
    cases = sum(tally.cases for tally in tallies)
    slowest = max(tallies, key=lambda tally: tally.slowest)
    outcomes = sum(
        (tally.outcomes for tally in tallies), start=type(slowest.outcomes)()
    )
    for outcome, count in sorted(outcomes.items()):
        print(f"  {count:>9,} {outcome}")
    if seconds:
        cpu = sum(tally.cpu_seconds for tally in tallies)
        print(
            f"{cases:,} cases in {seconds:.0f} s: {cases / seconds:,.0f} a second, "
            f"{cases / cpu:,.0f} a second of CPU"
        )
    print(f"slowest call: {slowest.slowest:.3f} s of CPU (case {slowest.slowest_case})")
    complaints = {
        n: found for tally in tallies for n, found in tally.complaints.items()
    }
    for number, found in sorted(complaints.items())[:_SHOWN]:
        print(f"case {number}: {'; '.join(found)[:600]}")
        print(f"  replay: make fuzz CASE={number}")
    if complaints:
        print(f"{len(complaints):,} of {cases:,} cases gave a complaint")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
