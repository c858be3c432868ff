"""An exchange in memory: everything is real but the bytes of the reply.

`ExchangeService`, ccxt and the response class that bounds and decodes a body run as
they are; only the connection below them is replaced, so that a million replies take
minutes.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from app.config.settings import ExchangeSettings
from app.core.clock import ManualClock
from app.exchange.budget import BucketTerms, Cooldown, Draw, cooldown_length
from app.exchange.call_record import current_request
from app.exchange.rate_limiter import RateLimiter
from app.exchange.service import ExchangeService
from app.exchange.transport import BoundedResponse

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
SETTINGS = ExchangeSettings(
    id="binance", max_attempts=1, tickers_ttl_seconds=0.0, markets_ttl_seconds=1e9
)


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body of one HTTP reply; `is_cut` resets the connection."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunk: int = 1 << 16
    is_cut: bool = False


class _Content:
    """The body in chunks, as a connection hands it out."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def iter_any(self) -> AsyncIterator[bytes]:
        body, chunk = self._reply.body, self._reply.chunk
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]
        if self._reply.is_cut:
            raise aiohttp.ClientPayloadError("connection closed before the end")

    def exception(self) -> BaseException:
        # Asked on release, to tell those who still read: nobody does.
        return EOFError()


class MemoryResponse(BoundedResponse):
    """The product's response class above a reply that is at hand."""

    def __init__(self, url: URL, reply: Reply) -> None:
        self.method = "GET"
        self._url = self._real_url = url
        self.status, self.reason = reply.status, "as told"
        self._headers = CIMultiDictProxy(CIMultiDict(reply.headers))
        self._cache: dict[str, Any] = {}
        self.content = _Content(reply)  # type: ignore[assignment]

    def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> MemoryResponse:
        permit = current_request().permit
        if permit is not None:
            permit.use()
        return self


class MemorySession:
    """Answers by path; `asked` are the paths of the requests so far."""

    headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[str] = []

    def get(self, url: URL, **_: Any) -> MemoryResponse:
        """ccxt's call of an HTTP session."""
        return MemoryResponse(url, self.next_reply(url.path))

    def next_reply(self, path: str) -> Reply:
        """The next reply for the path; the last one stays."""
        self.asked.append(path)
        replies = self.replies[path]
        return replies.pop(0) if len(replies) > 1 else replies[0]


class OpenBudget:
    """Grants everything: the fuzzing is of replies, and each case starts alike."""

    async def draw(
        self, costs: Sequence[float], terms: BucketTerms, reserve_share: float = 0.0
    ) -> Draw:
        return Draw(len(costs), terms.capacity, Cooldown(0.0, 0))

    async def cool_down(self, seconds: float | None, banned: bool) -> Cooldown:
        return Cooldown(cooldown_length(seconds, banned, 1), 1)

    async def forgive(self) -> None:
        return None


class Bench:
    """One service, its clock and the session below it."""

    def __init__(self, service: ExchangeService, session: MemorySession) -> None:
        self.service, self.session = service, session

    def begin(self, now: datetime) -> None:
        """Start a case: the exchange's time is `now`, nothing is left of the last."""
        self.session.asked.clear()
        self.service.take_corrupt_replies()
        self.service._server_clock.set(now)
        client = self.service._client
        if client.limiter.cooldown_seconds > 0:
            client.limiter = RateLimiter(
                client.clock, 4800.0, budget=OpenBudget(), max_attempts=1
            )


def _remembered(sign: Any) -> Any:
    """`sign` without its work where it was asked the same: replies are under test."""
    known: dict[tuple[Any, ...], Any] = {}

    def signed(path: str, api: Any, method: str, params: Any, *rest: Any) -> Any:
        key = (path, str(api), method, *params.items())
        if key not in known:
            known[key] = sign(path, api, method, params, *rest)
        return known[key]

    return signed


@asynccontextmanager
async def opened(replies: Mapping[str, bytes]) -> AsyncIterator[Bench]:
    """A bench whose service has read the market lists among `replies`."""
    clock = ManualClock(START)
    service = ExchangeService(
        SETTINGS, clock, randomness=random.Random(0), budget=OpenBudget()
    )
    async with service:
        session = MemorySession()
        session.replies = {path: [Reply(body)] for path, body in replies.items()}
        service._client.session = session
        service._client.sign = _remembered(service._client.sign)
        await service.fetch_markets()
        yield Bench(service, session)
