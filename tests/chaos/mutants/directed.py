"""Short plans that show a planted bug without waiting for a seed to find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.chaos.plan import Plan, Step
from tests.chaos.scenario import MINUTE, Scenario, scenario

_CASE = scenario(0)


def _plan(case: Scenario, *steps: Step) -> Plan:
    return Plan(0, case, steps)


def _at(minutes: float) -> timedelta:
    return minutes * MINUTE


def quiet() -> Plan:
    """Passes as they should be, over bars that are missing and corrected."""
    start = _CASE.start
    return _plan(_CASE, *(Step(start + _at(m)) for m in (0, 1, 3, 9, 16, 23, 90)))


def reversed_pages() -> Plan:
    """The newest bar comes first."""
    fault = {"kind": "reversed_bars"}
    return _plan(_CASE, *(Step(_CASE.start + _at(m), (fault,)) for m in (0, 5)))


def no_bars_at_all() -> Plan:
    """One market answers `[]`, for longer than any bar may be late."""
    start = _CASE.start
    fault = {"kind": "missing_bars", "symbol": "BTCUSDT"}
    later = (Step(start + _at(m), (fault,)) for m in (10, 20, 31))
    return _plan(_CASE, Step(start), *later)


def killed_between() -> Plan:
    """Dead after each of the copies that a pass makes, in turn."""
    start = _CASE.start
    steps = [
        Step(start + _at(6 * n), failpoints=f"store.after_copy=kill@{n}")
        for n in range(1, 6)
    ]
    return _plan(_CASE, *steps)


def cut_after_commits() -> Plan:
    """Each of the commits of a pass takes effect unheard, in turn."""
    start = _CASE.start
    steps = [Step(start + _at(6 * n), failpoints=_cut_at(n)) for n in range(1, 8)]
    return _plan(_CASE, *steps)


def two_collectors() -> Plan:
    """Two of them at the same work at once, again and again."""
    start = _CASE.start
    steps = (Step(start + _at(m), collectors=2) for m in (0, 2, 7))
    return replace(_plan(_CASE, *steps), leased=False)


def banned_and_killed() -> Plan:
    """Dead after it was banned, and started again inside the ban."""
    start = _CASE.start
    ban = {
        "kind": "status",
        "status": 418,
        "retry_after_seconds": 600.0,
        "path": "klines",
        "times": 1,
    }
    return _plan(
        _CASE,
        Step(start),
        Step(start + _at(2), (ban,)),
        Step(start + _at(4), restarted=True),
    )


def _cut_at(number: int) -> str:
    return f"database.before_commit=cut_after_commit@{number}"


@dataclass(frozen=True, slots=True)
class Exposure:
    """The plan that shows a bug, and words of the problem by which it is known."""

    plan: Callable[[], Plan]
    words: str


_LEDGER = "the ledger does not cover"
_UNFINISHED = "was only unfinished served"
_HASTY = "was confirmed absent"

EXPOSURES: dict[str, Exposure] = {
    "watermark_before_rows": Exposure(killed_between, _LEDGER),
    "plain_insert": Exposure(quiet, "UniqueViolation"),
    "revision_lost": Exposure(quiet, "bars then"),
    "known_at_overwritten": Exposure(quiet, "bars then"),
    "unsorted_upsert": Exposure(two_collectors, "deadlock"),
    "blind_retry": Exposure(cut_after_commits, "UniqueViolation"),
    "watermark_off_by_one": Exposure(quiet, _LEDGER),
    "last_bar_dropped_by_position": Exposure(reversed_pages, _UNFINISHED),
    "open_bar_stored": Exposure(quiet, _UNFINISHED),
    "forward_fill": Exposure(quiet, "was never served"),
    "gap_closed_on_empty": Exposure(no_bars_at_all, "after 0 answers"),
    "confirmed_after_one_answer": Exposure(quiet, _HASTY),
    "confirmed_within_minutes": Exposure(quiet, _HASTY),
    "cooldown_ignored_after_restart": Exposure(banned_and_killed, "ban window"),
}


def with_bug(name: str) -> Plan:
    """The plan for the bug `name`, planted."""
    return replace(EXPOSURES[name].plan(), mutant=name)
