"""A case: which reply, damaged how, with which status; all told by its number."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from random import Random

import orjson

from tests.fuzz.corpus import Kind, Subject
from tests.fuzz.mutate_bytes import DAMAGES
from tests.fuzz.mutate_json import change
from tests.fuzz.venue import Reply

_WEIGHTS = {
    Kind.CANDLES: 40,
    Kind.TRADES: 18,
    Kind.BOOK: 17,
    Kind.TICKERS: 10,
    Kind.FUNDING: 7,
    Kind.TIME: 4,
    Kind.MARKETS: 1,
    Kind.BAR_FILE: 1,
    Kind.TRADE_FILE: 1,
}
_FILES = (Kind.BAR_FILE, Kind.TRADE_FILE)
_STATUSES = (
    *(201, 202, 204, 206, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 413, 418),
    *(422, 425, 429, 451, 499, 500, 501, 502, 503, 504, 511, 520, 525, 530, 599, 999),
)
_RETRY_AFTER = (
    *("7", "0", "-5", "1e9", "nan", "inf", "-inf", "", " ", "soon", "9" * 400, "1.5"),
    *("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 99 Foo 0000 99:99:99 GMT", "\u0663"),
    *("Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"),
)
_HEADERS = (
    {"Content-Type": "text/html"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Length": "99999999999"},
    {"X-MBX-USED-WEIGHT-1M": "nonsense"},
)


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged reply to one call."""

    number: int
    subject: Subject
    reply: Reply


class Cases:
    """Makes the case of a number; the corpus is part of what it depends on."""

    def __init__(self, subjects: list[Subject]) -> None:
        by_kind = {kind: [s for s in subjects if s.kind is kind] for kind in Kind}
        self._by_kind = {kind: found for kind, found in by_kind.items() if found}
        self._kinds = list(self._by_kind)
        self._weights = list(accumulate(_WEIGHTS[kind] for kind in self._kinds))

    def case(self, number: int) -> Case:
        """The case of this number, the same at every run."""
        rng = Random(number)
        kind = rng.choices(self._kinds, cum_weights=self._weights)[0]
        subject = rng.choice(self._by_kind[kind])
        if kind in _FILES:
            body = _damaged_bytes(subject.body, rng)
            return Case(number, subject, Reply(body, is_cut=rng.random() < 0.05))
        body = self._damaged(subject.body, rng)
        return Case(number, subject, _reply(body, rng))

    def _damaged(self, body: bytes, rng: Random) -> bytes:
        if rng.random() < 0.6:
            body = change(orjson.loads(body), rng)
            if rng.random() < 0.9:
                return body
        return _damaged_bytes(body, rng)


def _damaged_bytes(body: bytes, rng: Random) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2))):
        body = rng.choice(DAMAGES)(body, rng) if body else body
    return body


def _reply(body: bytes, rng: Random) -> Reply:
    if rng.random() < 0.93:
        return Reply(body)
    headers: dict[str, str] = {}
    status = 200
    match rng.randrange(4):
        case 0 | 1:
            status = rng.choice(_STATUSES)
            if status in (418, 429) or rng.random() < 0.2:
                headers["Retry-After"] = rng.choice(_RETRY_AFTER)
        case 2:
            headers = dict(rng.choice(_HEADERS))
        case _:
            pass
    chunk = rng.choice((1, 7, 256, 1 << 16))
    return Reply(body, status, headers, max(chunk, len(body) // 50), rng.random() < 0.2)
