"""Carries a plan out and judges what is left in the database."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg2

from app.config.settings import DatabaseSettings
from app.core.database import Database
from app.core.exceptions import RetryableError
from app.models.knowledge import find_horizon, publish_horizon
from tests.chaos import oracles
from tests.chaos.bench import RUN_ID, Bench, connect
from tests.chaos.child import Child, Outcome
from tests.chaos.market import ChaosMarket
from tests.chaos.oracles import Key, Values, Witness
from tests.chaos.plan import Plan, Step, Trouble
from tests.chaos.scenario import settings_for
from tests.chaos.sigterm import terminate_while_blocked
from tests.chaos.troubles import lasting, momentary

_MOST_TRIES = 6
_TRY_AGAIN_AFTER = timedelta(minutes=5)
# For writers that share no lease: what they do to each other has to come to light as
# what it is, however busy the machine, and not as a time-out.
_UNHURRIED = {"lock_timeout_seconds": 10.0, "statement_deadline_seconds": 15.0}


@dataclass
class Verdict:
    """What became of a run; `bars` are those that open before its end."""

    seed: int
    problems: list[str] = field(default_factory=list)
    bars: dict[Key, Values] = field(default_factory=dict)
    starts: dict[tuple[int, str], datetime] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class Run:
    """One plan on one database and one market."""

    def __init__(self, bench: Bench, market: ChaosMarket, url: str, plan: Plan) -> None:
        self._bench, self._market, self._url, self._plan = bench, market, url, plan
        self._database = Database(DatabaseSettings(pool_size=1), url)
        self._children: list[Child | None] = [None, None]
        self._witness = Witness()
        self.verdict = Verdict(plan.seed)
        self._began = time.monotonic()

    def carry_out(self) -> Verdict:
        """The steps, the healing, the last passes, the judgement."""
        try:
            for step in self._plan.steps:
                self._make(step)
            self._catch_up()
            self._judge()
        finally:
            self._kill_all()
            self._database.dispose()
        return self.verdict

    def _make(self, step: Step) -> None:
        self._bench.clock.reach(step.at)
        self._market.set_faults([*self._plan.case.facts, *step.faults])
        if step.trouble is Trouble.SIGTERM_BLOCKED:
            self._stop_all()
            order = self._order(0, lock_timeout_seconds=20.0)
            problem = terminate_while_blocked(self._bench, self._url, order)
            outcomes = [Outcome(defect=problem)]
        else:
            outcomes = self._pass(step)
        self._note(step, outcomes)
        # Only the troubles are over; the faults of the market last until the next step.
        self._look()

    def _pass(self, step: Step) -> list[Outcome]:
        if step.restarted:
            self._kill_all()
        children = [self._child(number) for number in range(step.collectors)]
        with ExitStack() as stack:
            stack.enter_context(lasting(step.trouble, self._bench, self._url))
            stack.enter_context(
                momentary(
                    step.trouble,
                    step.after_seconds,
                    self._bench,
                    self._url,
                    children[0],
                )
            )
            for number, child in enumerate(children):
                child.begin_pass("" if number else step.failpoints)
            outcomes = [child.end_pass(self._meanwhile) for child in children]
        if self._children[1] is not None:
            # Whoever of the two holds the lease gives it back, or is replaced.
            self._stop_all()
        return outcomes

    def _meanwhile(self) -> None:
        """While the first collector is stopped, another one has its turn."""
        self._publish()
        if self._children[1] is None:
            other = self._child(1)
            other.begin_pass()
            outcome = other.end_pass(lambda: None)
            self._note(Step(self._bench.clock.now()), [outcome])

    def _catch_up(self) -> None:
        self._market.set_faults(self._plan.case.facts)
        for moment in self._plan.catch_up:
            self._bench.clock.reach(moment)
            for _ in range(_MOST_TRIES):
                outcome = self._pass(Step(moment))[0]
                self._note(Step(moment), [outcome])
                if outcome.is_well:
                    break
                self._bench.clock.reach(self._bench.clock.now() + _TRY_AGAIN_AFTER)
            else:
                self.verdict.problems.append(f"healed, but: {outcome}")
            self._look()

    def _judge(self) -> None:
        case, problems = self._plan.case, self.verdict.problems
        connection = connect(self._url)
        try:
            self._witness.look_back(connection)
            problems += dict.fromkeys(self._witness.problems)
            problems += oracles.never_served(
                connection, self._market, self._plan.largest_skew
            )
            problems += oracles.hasty_confirmations(connection, self._market)
            problems += oracles.unexplained(
                connection, self._plan.spoils_replies, case.corrects
            )
            if self._plan.catch_up:
                problems += oracles.not_caught_up(connection, case.end)
            self.verdict.bars = oracles.stored_bars(connection, case.end)
            self.verdict.starts = oracles.history_starts(connection)
        finally:
            connection.close()
        log = self._market.requests
        problems += oracles.impolite(log)
        self.verdict.counts.update(
            {f"fault {kind}": n for kind, n in log.by_fault.items()}
        )
        self.verdict.counts["requests"] = log.count

    def _look(self) -> None:
        connection = connect(self._url)
        try:
            self._witness.look(connection, self._publish())
        except psycopg2.Error as error:
            self.verdict.problems.append(f"cannot look: {error}")
        finally:
            connection.close()

    def _publish(self) -> datetime | None:
        now = self._bench.clock.now()
        try:
            with self._database.session_scope() as session:
                publish_horizon(session, now, patience_seconds=0.05)
            with self._database.session_scope() as session:
                return find_horizon(session)
        except RetryableError:
            return None

    def _note(self, step: Step, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            what = outcome.defect or outcome.death or outcome.error or "well"
            kinds = [fault["kind"] for fault in step.faults]
            self.verdict.story.append(
                f"{step.at:%d %H:%M:%S} {step.trouble.value} {step.failpoints} {kinds}"
                f" -> {what} ({time.monotonic() - self._began:.2f} s)"
            )
            self.verdict.counts[f"pass {what.partition(':')[0][:30]}"] += 1
            if outcome.defect:
                self.verdict.problems.append(outcome.defect)
            if "deadlock" in outcome.error:
                self.verdict.problems.append(outcome.error)
        if step.trouble is not Trouble.NONE:
            self.verdict.counts[f"trouble {step.trouble.value}"] += 1
        if step.failpoints:
            self.verdict.counts["failpoints"] += 1

    def _child(self, number: int) -> Child:
        child = self._children[number]
        if child is None or child.wait(0.0) is not None:
            child = Child(self._bench.zygote, self._order(number))
            self._children[number] = child
        return child

    def _kill_all(self) -> None:
        for child in self._children:
            if child is not None:
                child.kill()

    def _stop_all(self) -> None:
        for child in self._children:
            if child is not None:
                child.hang_up()
        self._children = [None, None]

    def _order(self, number: int, **database: float) -> dict[str, Any]:
        case = self._plan.case
        if not self._plan.leased:
            database = {**_UNHURRIED, **database}
        settings = settings_for(
            case, self._market.url, self._plan.page_limit, **database
        )
        return {
            "log": str(self._bench.folder / "collector.log"),
            "mutant": self._plan.mutant,
            "failpoints": "",
            "clock": str(self._bench.folder / "clock"),
            "settings": settings.model_dump_json(),
            "url": self._bench.proxy.url_for(self._url),
            "run_id": str(RUN_ID),
            "process": "collector",
            "number": number,
            "leased": self._plan.leased,
            "seed": self._plan.seed,
            "runs": False,
        }


def run_plan(bench: Bench, plan: Plan) -> Verdict:
    """Carry `plan` out on a market and a database of its own."""
    began = time.monotonic()
    bench.clock.reset(plan.case.start)
    with bench.market.serve(plan.case.replay_settings()) as market:
        with bench.database() as url:
            verdict = Run(bench, market, url, plan).carry_out()
    verdict.seconds = time.monotonic() - began
    return verdict
