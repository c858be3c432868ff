"""A small share of the fuzzing; `make fuzz` runs a million cases."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.cases import Case, Cases
from tests.fuzz.corpus import Kind, Subject, load_corpus, market_lists
from tests.fuzz.judge_bars import Window, judge_bars, read_row
from tests.fuzz.memory import HOSTILE
from tests.fuzz.run import MOST_CPU_SECONDS, Tally, run_case, run_cases, stoppable
from tests.fuzz.venue import Bench, Reply, opened

_ROOT = Path(__file__).resolve().parents[2]
_MOST_GROWTH = 64 << 20


@pytest.fixture(scope="module")
def subjects() -> list[Subject]:
    return load_corpus(None)


def test_damaged_replies_give_no_bad_row(shared_data: Path) -> None:
    tally = run_cases(range(3_000), shared_data)
    assert tally.complaints == {}
    assert tally.cases == 3_000 and tally.slowest < MOST_CPU_SECONDS


def test_damaged_replies_of_the_replay_market_give_no_bad_row() -> None:
    assert run_cases(range(500), None).complaints == {}


def test_a_number_tells_its_case(subjects: list[Subject]) -> None:
    first, second = Cases(subjects), Cases(load_corpus(None))
    assert [first.case(n) for n in range(50)] == [second.case(n) for n in range(50)]


def test_hostile_replies_take_little_memory_and_time() -> None:
    command = [sys.executable, "-m", "tests.fuzz.memory"]
    done = subprocess.run(
        command, cwd=_ROOT, check=True, capture_output=True, timeout=120, text=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('["')]
    taken = {name: (growth, cpu) for name, growth, cpu, _ in map(json.loads, lines)}
    assert taken.keys() == HOSTILE.keys()
    assert {n: g for n, (g, _) in taken.items() if g > _MOST_GROWTH} == {}
    assert {n: s for n, (_, s) in taken.items() if s > MOST_CPU_SECONDS} == {}


def test_the_judge_finds_what_a_wrong_parser_would_give(
    subjects: list[Subject],
) -> None:
    subject = next(s for s in subjects if s.kind is Kind.CANDLES)
    assert subject.since is not None
    since, now = subject.since.timestamp() * 1000, subject.now.timestamp() * 1000
    window = Window(subject.timeframe, since, now)
    rows = [read_row(raw, window) for raw in json.loads(subject.body)]
    bars = [row.bar for row in rows if window.holds(row.bar[0])]
    assert list(judge_bars(bars, rows, window)) == []
    opened_at, *rest = bars[1]
    wrong = {
        "lost": bars[:1] + bars[2:],
        "ascend": bars[::-1],
        "not in the document": [bars[0], (opened_at, rest[0] * 1.01, *rest[1:])],
        "off the grid": [(opened_at + 1, *rest)],
        "not positive": [(opened_at, -1.0, *rest[1:])],
        "not finite": [(opened_at, float("nan"), *rest[1:])],
        "not closed": [*bars, (now // 60_000 * 60_000, *rest)],
    }
    for complaint, answer in wrong.items():
        assert complaint in " ".join(judge_bars(answer, rows, window))


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["1", "-1", "0", "1e400", "1_0", "NaN", "BTCUSDT", "ETHUSDT"]),
    st.integers(1_735_000_000_000, 1_737_000_000_000),
)
_KEYS = st.sampled_from(
    [*("bids", "asks", "T", "p", "q", "m", "a", "serverTime", "symbol", "symbols")]
    + [*("lastPrice", "bidPrice", "askPrice", "closeTime", "code", "msg", "data")]
)
_DOCUMENTS = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(_KEYS, inner),
    max_leaves=30,
)


@pytest.fixture(scope="module")
def bench(subjects: list[Subject]) -> Iterator[tuple[asyncio.Runner, Bench]]:
    with stoppable(), asyncio.Runner() as runner:
        context = opened(market_lists(subjects))
        yield runner, runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.mark.parametrize(
    "kind", [Kind.CANDLES, Kind.TRADES, Kind.BOOK, Kind.TICKERS, Kind.TIME]
)
def test_any_document_gives_what_it_says_or_an_error_of_ours(
    kind: Kind, subjects: list[Subject], bench: tuple[asyncio.Runner, Bench]
) -> None:
    runner, used = bench
    subject = next(s for s in subjects if s.kind is kind)

    @settings(max_examples=200, deadline=None)
    @given(_DOCUMENTS)
    def check(document: Any) -> None:
        body = json.dumps(document).encode()
        case, tally = Case(0, replace(subject, body=body), Reply(body)), Tally()
        used.session.replies = {subject.path: [case.reply]}
        runner.run(run_case(case, used, tally))
        assert tally.complaints == {}

    check()
