"""What a seed does to a run: faults of the market, failpoints, troubles around it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from tests.chaos.scenario import LENGTH, MARKETS, SYMBOLS, Scenario, scenario

SECOND = timedelta(seconds=1)


class Trouble(str, Enum):
    """What the harness does to processes and to PostgreSQL during one pass."""

    NONE = "none"
    KILL = "kill"  # SIGKILL at a random moment
    PAUSE = "pause"  # SIGSTOP at a random moment, SIGCONT later
    SIGTERM_BLOCKED = "sigterm_blocked"  # while it waits for a lock
    RESTART_SERVER = "restart_server"  # immediate, with crash recovery
    TERMINATE_BACKENDS = "terminate_backends"
    CUT = "cut"  # reset of every connection
    CUT_AFTER_COMMIT = "cut_after_commit"
    BLACK_HOLE = "black_hole"
    DELAY = "delay"
    LOCK_ROWS = "lock_rows"  # until the lock time-out
    LOCK_TABLE = "lock_table"
    DISK_FULL = "disk_full"  # the server refuses a row with SQLSTATE 53100
    SLOW_STATEMENT = "slow_statement"  # until the statement time-out
    READ_ONLY = "read_only"
    NO_CONNECTIONS = "no_connections"


# Troubles that happen a while into a pass; the others last for the whole of it.
MOMENTARY = frozenset(
    (
        Trouble.KILL,
        Trouble.PAUSE,
        Trouble.RESTART_SERVER,
        Trouble.TERMINATE_BACKENDS,
        Trouble.CUT,
    )
)


@dataclass(frozen=True, slots=True)
class Step:
    """One pass of one or two collectors at one instant, and what goes wrong in it."""

    at: datetime
    faults: tuple[dict[str, Any], ...] = ()
    failpoints: str = ""
    trouble: Trouble = Trouble.NONE
    after_seconds: float = 0.0
    collectors: int = 1
    restarted: bool = False  # every process is killed before the pass


@dataclass(frozen=True, slots=True)
class Plan:
    """All of one run. Without steps' troubles it is the undisturbed one."""

    seed: int
    case: Scenario
    steps: tuple[Step, ...]
    page_limit: int = 200
    catch_up: tuple[datetime, ...] = ()
    mutant: str = ""
    leased: bool = True  # one collector at a time does the work

    @property
    def spoils_replies(self) -> bool:
        """Whether whole replies are something else than was asked for."""
        kinds = {fault["kind"] for step in self.steps for fault in step.faults}
        return bool(kinds & {"html", "empty", "null", "truncate"})

    @property
    def largest_skew(self) -> timedelta:
        """How far the exchange's clock is ahead of ours at worst."""
        skews = [
            fault.get("skew_seconds", 0.0)
            for step in self.steps
            for fault in step.faults
        ]
        return timedelta(seconds=max([0.0, *skews]))


def plan_of(seed: int) -> Plan:
    """The plan of `seed`, always the same."""
    rng = random.Random(f"chaos plan {seed}")
    case = scenario(seed % MARKETS)
    moments = _moments(rng, case)
    steps = tuple(_step(rng, at) for at in moments)
    page_limit = rng.choice((40, 60, 200))
    # Bars are read again a page a pass: small pages take more passes.
    more = [case.catch_up[-1] + k * timedelta(minutes=1) for k in (1, 2)]
    catch_up = case.catch_up if page_limit > 40 else (*case.catch_up, *more)
    return Plan(seed, case, steps, page_limit, catch_up)


def undisturbed(case: Scenario) -> Plan:
    """A pass every few minutes, and nothing goes wrong but the market's facts."""
    count = int(LENGTH / timedelta(minutes=6))
    moments = [case.start + k * timedelta(minutes=6) for k in range(count + 1)]
    steps = tuple(Step(at) for at in moments)
    return Plan(-1 - case.number, case, steps, catch_up=case.catch_up)


def _moments(rng: random.Random, case: Scenario) -> list[datetime]:
    offsets = sorted(rng.uniform(20, LENGTH.total_seconds()) for _ in range(5))
    return [case.start + round(seconds) * SECOND for seconds in [0.0, *offsets]]


def _step(rng: random.Random, at: datetime) -> Step:
    faults = [rng.choice(_FAULTS)(rng, at) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    trouble = Trouble.NONE
    if rng.random() < 0.4:
        trouble = rng.choice([each for each in Trouble if each is not Trouble.NONE])
    return Step(
        at,
        tuple(faults),
        _failpoint(rng) if rng.random() < 0.35 else "",
        trouble,
        rng.uniform(0.0, 0.15),
        2 if rng.random() < 0.2 else 1,
    )


_STORING = (
    "collector.before_fetch",
    "collector.after_fetch",
    "store.after_lock",
    "store.after_copy",
    "store.after_merge",
    "store.after_bars",
    "store.after_gaps",
    "store.before_commit",
    "store.after_commit",
    "collector.after_tick",
    "database.before_commit",
    "database.after_commit",
)
_ACTIONS = (
    "kill",
    "kill",
    "kill",
    "stop",
    "raise:WriteConflict",
    "raise:StorageFull",
    "raise:StatementTimeout",
    "terminate_backend",
    "sleep:0.05",
)


def _failpoint(rng: random.Random) -> str:
    hit = rng.choice((1, 1, 2, 3))
    if rng.random() < 0.15:
        return f"database.before_commit=cut_after_commit@{hit}"
    return f"{rng.choice(_STORING)}={rng.choice(_ACTIONS)}@{hit}"


Fault = dict[str, Any]


def _reply(kind: str) -> Callable[[random.Random, datetime], Fault]:
    def make(rng: random.Random, at: datetime) -> Fault:
        path = rng.choice(("klines", "klines", "time", ""))
        return {"kind": kind, "path": path, "times": rng.choice((1, 2, 5, 0))}

    return make


def _hang(rng: random.Random, at: datetime) -> Fault:
    return {"kind": "hang", "path": rng.choice(("klines", "time")), "times": 1}


def _limited(rng: random.Random, at: datetime) -> Fault:
    status, wait = rng.choice(
        ((429, 7.0), (429, 0.4), (429, 0.0), (418, 120.0), (418, 900.0))
    )
    return {
        "kind": "status",
        "status": status,
        "retry_after_seconds": wait,
        "path": rng.choice(("klines", "klines", "time")),
        "every": rng.choice((1, 3)),
        "times": 1,
    }


def _failing(rng: random.Random, at: datetime) -> Fault:
    status = rng.choice((500, 502, 503, 504))
    return {"kind": "status", "status": status, "every": 2, "times": rng.choice((3, 0))}


def _pages(kind: str) -> Callable[[random.Random, datetime], Fault]:
    def make(rng: random.Random, at: datetime) -> Fault:
        return {"kind": kind, "symbol": rng.choice(("", *SYMBOLS))}

    return make


def _late(rng: random.Random, at: datetime) -> Fault:
    """Bars that come minutes late: for one pass they seem to be missing."""
    return {
        "kind": "missing_bars",
        "symbol": rng.choice(("", *SYMBOLS)),
        "start": at - rng.randrange(2, 30) * timedelta(minutes=1),
        "fraction": rng.choice((0.3, 1.0)),
    }


def _skew(rng: random.Random, at: datetime) -> Fault:
    return {"kind": "clock_skew", "skew_seconds": rng.choice((-70.0, -3.0, 2.0, 45.0))}


_FAULTS: tuple[Callable[[random.Random, datetime], Fault], ...] = (
    *(_reply(kind) for kind in ("html", "empty", "null", "truncate", "reset")),
    *(
        _pages(kind)
        for kind in (
            "duplicate_bars",
            "reversed_bars",
            "short_page",
            "overlapping_pages",
            "shuffled_bars",
        )
    ),
    _hang,
    _limited,
    _limited,
    _failing,
    _late,
    _late,
    _skew,
)
