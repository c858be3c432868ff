"""Runs cases: asks the service, bounds its CPU time, has the answer judged."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from app.core.exceptions import AppError, CorruptReply
from app.exchange.universe import MarketList
from tests.fuzz.cases import Case, Cases
from tests.fuzz.archive_files import judge_file, read_file
from tests.fuzz.corpus import Kind, Subject, load_corpus, market_lists
from tests.fuzz.judge_replies import judge, must_answer
from tests.fuzz.reading import Unreadable, Unsure, read
from tests.fuzz.venue import Bench, Reply, opened
from tests.fuzz.wire import opened_on_wire

MOST_CPU_SECONDS = 2.0
# More of one market nobody has to read.
MOST_BYTES_READ = 2 << 20
# A call that does not come back is ended, so that its case is told.
STOPPED_AFTER_SECONDS = 10.0
# One case in so many goes over a real socket.
WIRE_EVERY = 200


class Stopped(BaseException):
    """The call was still at work after `STOPPED_AFTER_SECONDS` of CPU time."""


def _stop(*_: object) -> None:
    raise Stopped(f"stopped after {STOPPED_AFTER_SECONDS:g} s of CPU time")


@contextmanager
def stoppable() -> Iterator[None]:
    """Within, calls that do not come back are ended (main thread only)."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGVTALRM, before)


@dataclass
class Tally:
    """What a run of cases came to; `complaints` by case number."""

    cases: int = 0
    cpu_seconds: float = 0.0
    slowest: float = 0.0
    slowest_case: int = -1
    outcomes: Counter[str] = field(default_factory=Counter)
    complaints: dict[int, list[str]] = field(default_factory=dict)

    def add(self, case: Case, seconds: float, outcome: str, found: list[str]) -> None:
        self.cases += 1
        self.outcomes[outcome] += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_case = seconds, case.number
        if seconds > MOST_CPU_SECONDS:
            found = [*found, f"the call took {seconds:.1f} s of CPU time"]
        if found:
            self.complaints[case.number] = found


def run_cases(numbers: Iterable[int], shared_data: Path | None) -> Tally:
    """Run the cases of these numbers against one service."""
    subjects = load_corpus(shared_data)
    started = time.process_time()
    with stoppable():
        tally = asyncio.run(_run(numbers, Cases(subjects), market_lists(subjects)))
    tally.cpu_seconds = time.process_time() - started
    return tally


async def _run(numbers: Iterable[int], cases: Cases, lists: dict[str, bytes]) -> Tally:
    tally = Tally()
    sound = {path: [Reply(body)] for path, body in lists.items()}
    # Several services, since a damaged market list must not stay with other calls.
    async with (
        opened(lists) as bench,
        opened(lists) as list_bench,
        opened_on_wire(lists) as wire_bench,
    ):
        for number in numbers:
            case = cases.case(number)
            if case.subject.kind is Kind.MARKETS:
                chosen = list_bench
            elif number % WIRE_EVERY == 0:
                chosen = wire_bench
            else:
                chosen = bench
            chosen.session.replies = {**sound, case.subject.path: [case.reply]}
            await run_case(case, chosen, tally)
            if not number % 64:
                await asyncio.sleep(0)  # the loop forgets its cancelled timers
    return tally


async def run_case(case: Case, bench: Bench, tally: Tally) -> None:
    """Ask once; what the call gives or raises is judged."""
    subject = case.subject
    bench.begin(subject.now)
    if subject.kind is Kind.MARKETS:
        bench.service._listings.market_list = MarketList("binance")
    is_file = subject.kind in (Kind.BAR_FILE, Kind.TRADE_FILE)
    answer: Any = None
    error: BaseException | None = None
    started = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, STOPPED_AFTER_SECONDS)
    try:
        if is_file:
            answer = read_file(case)
        else:
            answer = await _ask(subject, bench)
    except (Exception, Stopped) as raised:
        error = raised
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    seconds = time.process_time() - started
    outcome = "answer" if error is None else type(error).__name__
    if error is not None:
        found = _judge_error(case, error, bench)
    elif is_file:
        found = list(judge_file(case, answer))
    else:
        found = _judge_answer(case, answer)
    tally.add(case, seconds, f"{subject.kind.value}: {outcome}", found)


async def _ask(subject: Subject, bench: Bench) -> Any:
    service = bench.service
    match subject.kind:
        case Kind.CANDLES:
            assert subject.since is not None
            return await service.fetch_candles(
                subject.symbol, subject.timeframe, subject.since, 1000
            )
        case Kind.TRADES:
            return await service.fetch_trades(subject.symbol)
        case Kind.BOOK:
            return await service.fetch_order_book(subject.symbol)
        case Kind.TICKERS:
            return await service.fetch_tickers()
        case Kind.FUNDING:
            return await service.fetch_funding_rate(subject.symbol)
        case Kind.TIME:
            return await service.server_time()
        case Kind.MARKETS:
            return await service.fetch_markets(force=True)
        case Kind.BAR_FILE | Kind.TRADE_FILE:
            raise AssertionError("files are not asked for")


def _judge_answer(case: Case, answer: Any) -> list[str]:
    if case.reply.status >= 300:
        return [f"an answer came with status {case.reply.status}"]
    if case.reply.is_cut:
        return ["an answer came from a reply that was cut"]
    try:
        document = read(case.reply.body)
    except Unsure:
        return []
    except Unreadable:
        return ["an answer came from a body that is no JSON document"]
    return list(judge(case.subject, answer, document))


def _judge_error(case: Case, error: BaseException, bench: Bench) -> list[str]:
    if not isinstance(error, AppError):
        return [f"{type(error).__name__} is none of our errors: {error!s:.200}"]
    reply, kept = case.reply, bench.service.take_corrupt_replies().items
    text = reply.body.decode("utf-8", "replace")
    sent = text.replace("\x00", "\\u0000")
    found = []
    if isinstance(error, CorruptReply):
        if not kept:
            found.append(f"the reply was not kept: {error}")
        is_whole = not reply.is_cut and "Content-Length" not in reply.headers
        # Of several lists that make up one answer, any may be the one kept.
        is_whole = is_whole and case.subject.kind is not Kind.MARKETS
        for item in kept:
            if "refused numeral" in item.raw or not is_whole:
                continue
            if not sent.startswith(item.raw[:2000]):
                found.append(
                    f"another body than the one sent was kept: {item.raw!r:.90}"
                )
    if case.subject.kind in (Kind.BAR_FILE, Kind.TRADE_FILE):
        return found
    if reply.status == 200 and not reply.is_cut and not reply.headers:
        try:
            document = read(reply.body)
            orjson.loads(text)
        except (Unreadable, Unsure, ValueError):
            return found
        # ccxt looks for the venue's error codes in the text, wherever they stand.
        may_refuse = '"code"' in text or len(reply.body) > MOST_BYTES_READ
        if not may_refuse and must_answer(case.subject, document):
            found.append(f"{type(error).__name__} instead of an answer: {error}")
    return found
