"""Each misbehaviour, as the wire shows it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from app.config.settings import FaultSettings, ReplaySettings
from app.replay.grid import to_datetime
from tests.replay.running import HOUR, MINUTE, RunningMarket, running

START = int(ReplaySettings().start.timestamp() * 1000)
TIME = "/api/v3/time"


async def opens(market: RunningMarket, interval: str = "1m", **query: Any) -> list[int]:
    found = await market.spot("klines", symbol="BTCUSDT", interval=interval, **query)
    return [bar[0] for bar in found]


async def hits(market: RunningMarket) -> list[int]:
    _, report, _ = await market.get("/replay/faults")
    return [fault["hits"] for fault in report]


@pytest.mark.parametrize(
    ("kind", "body"),
    [("html", "<!DOCTYPE html>"), ("empty", ""), ("null", "null"), ("truncate", '{"')],
)
def test_a_success_with_a_spoilt_body(kind: str, body: str) -> None:
    async def scenario() -> None:
        async with running() as market:
            good = await market.text(TIME)
            await market.set_faults({"kind": kind, "path": "time"})
            spoilt = await market.text(TIME)
            assert spoilt.startswith(body) and spoilt != good
            if kind == "truncate":
                assert good.startswith(spoilt)
            assert await market.text("/api/v3/ping") == "{}"
            assert await hits(market) == [1]

    asyncio.run(scenario())


def test_a_status_with_a_time_to_wait_opens_a_window() -> None:
    async def scenario() -> None:
        async with running() as market:
            fault = {"kind": "status", "status": 418, "retry_after_seconds": 120}
            await market.set_faults({**fault, "times": 1})
            status, _, headers = await market.get(TIME)
            assert (status, headers["Retry-After"]) == (418, "120")
            await market.get(TIME)
            market.clock.at_ms += 2 * MINUTE
            await market.get(TIME)
            _, summary, _ = await market.get("/replay/requests")
            assert summary["inside_ban_windows"] == 1
            assert summary["by_fault"] == {"status": 1}

    asyncio.run(scenario())


def test_every_times_and_virtual_time_choose_the_requests() -> None:
    async def statuses(market: RunningMarket, count: int) -> list[int]:
        return [(await market.get(TIME))[0] for _ in range(count)]

    async def scenario() -> None:
        async with running() as market:
            await market.set_faults(
                {"kind": "status", "status": 503, "every": 2, "times": 2}
            )
            assert await statuses(market, 7) == [200, 503, 200, 503, 200, 200, 200]
            begin, end = START + HOUR, START + 2 * HOUR
            await market.set_faults(
                {
                    "kind": "status",
                    "start": to_datetime(begin).isoformat(),
                    "end": to_datetime(end).isoformat(),
                }
            )
            for at, expected in ((begin - 1, 200), (begin, 500), (end, 200)):
                market.clock.at_ms = at
                assert await statuses(market, 1) == [expected]

    asyncio.run(scenario())


def test_a_hang_keeps_the_client_waiting() -> None:
    async def scenario() -> None:
        async with running() as market:
            await market.set_faults({"kind": "hang", "symbol": "BTCUSDT"})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await opens(market)
            assert await hits(market) == [1]

    asyncio.run(scenario())


def test_a_reset_cuts_the_connection() -> None:
    async def scenario() -> None:
        async with running() as market:
            await market.set_faults({"kind": "reset", "path": "time", "times": 2})
            with pytest.raises(aiohttp.ClientError):
                # aiohttp tries once more by itself on a connection it kept.
                await market.get(TIME)
                await market.get(TIME)
            assert (await market.get("/api/v3/ping"))[0] == 200

    asyncio.run(scenario())


def test_missing_bars_leave_holes_and_do_not_shorten_the_page() -> None:
    async def scenario() -> None:
        async with running() as market:
            begin, end = START - 2 * HOUR, START - HOUR
            everything = await opens(market, limit=300)
            hidden = {
                "kind": "missing_bars",
                "symbol": "BTCUSDT",
                "timeframe": "1m",
                "start": to_datetime(begin).isoformat(),
                "end": to_datetime(end).isoformat(),
            }
            await market.set_faults(hidden)
            left = [at for at in everything if not begin <= at < end]
            assert await opens(market, limit=240) == left
            forwards = await opens(market, startTime=begin - MINUTE, limit=3)
            assert forwards == [begin - MINUTE, end, end + MINUTE]
            assert begin in await opens(market, "1h", limit=5) or begin % HOUR
            await market.set_faults({**hidden, "fraction": 0.5})
            some = await opens(market, limit=300)
            assert some == await opens(market, limit=300)
            kept = [at for at in some if begin <= at < end]
            assert 10 < len(kept) < 50

    asyncio.run(scenario())


def test_a_corrected_bar_settles_after_its_close() -> None:
    async def scenario() -> None:
        async with running() as market:
            query = {"symbol": "BTCUSDT", "interval": "1m", "startTime": START}
            market.clock.at_ms = START + HOUR
            (truth,) = await market.spot("klines", **query, endTime=START)
            await market.set_faults(
                {"kind": "corrected_bars", "settles_after_seconds": 90}
            )
            for after_close, settled in ((0, False), (89_999, False), (90_000, True)):
                market.clock.at_ms = START + MINUTE + after_close
                (bar,) = await market.spot("klines", **query, endTime=START)
                assert (bar == truth) is settled
                assert float(bar[3]) <= float(bar[4]) <= float(bar[2])
            assert await hits(market) == [2]

    asyncio.run(scenario())


def test_duplicated_reversed_and_short_pages() -> None:
    async def scenario() -> None:
        async with running() as market:
            plain = await opens(market, limit=5)
            await market.set_faults({"kind": "duplicate_bars"})
            assert await opens(market, limit=5) == [at for at in plain for _ in "12"]
            await market.set_faults({"kind": "reversed_bars"})
            assert await opens(market, limit=5) == plain[::-1]
            await market.set_faults({"kind": "short_page"})
            assert await opens(market, limit=5) == plain[:3]
            await market.set_faults()
            assert await opens(market, limit=5) == plain

    asyncio.run(scenario())


def test_faults_may_come_with_the_settings_and_bad_ones_are_refused() -> None:
    async def scenario() -> None:
        fault = FaultSettings(kind="null", path="ping")
        async with running(ReplaySettings(faults=(fault,))) as market:
            assert await market.text("/api/v3/ping") == "null"
            refused = await market.set_faults({"kind": "nonsense"})
            assert "kind" in refused["errors"][0]
            assert await hits(market) == [1]

    asyncio.run(scenario())
