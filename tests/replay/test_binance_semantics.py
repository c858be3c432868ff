"""Parameters, defaults and refusals as Binance documents them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.config.settings import ReplaySettings
from tests.replay.running import DAY, HOUR, MINUTE, running

START = int(ReplaySettings().start.timestamp() * 1000)


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("klines", {"symbol": "NOPE", "interval": "1m"}, -1121),
        ("klines", {"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ("klines", {"interval": "1m"}, -1102),
        ("klines", {"symbol": "BTCUSDT"}, -1102),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "x"}, -1100),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "0"}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "-1"}, -1100),
        ("ticker/24hr", {"symbols": "[BTC"}, -1100),
        ("ticker/24hr", {"symbols": '["BTCUSDT","NOPE"]'}, -1121),
        ("depth", {"symbol": "NOPE"}, -1121),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": "9" * 40}, -1100),
    ],
)
def test_a_bad_request_is_refused_with_their_code(
    path: str, query: dict[str, str], code: int
) -> None:
    async def scenario() -> None:
        async with running() as market:
            status, document, _ = await market.get(f"/api/v3/{path}", **query)
            assert (status, document["code"]) == (400, code)

    asyncio.run(scenario())


def test_an_unknown_path_is_404() -> None:
    async def scenario() -> None:
        async with running() as market:
            assert (await market.get("/api/v3/nothing"))[0] == 404
            assert (await market.get("/elsewhere"))[0] == 404

    asyncio.run(scenario())


def test_the_original_host_may_lead_the_path() -> None:
    async def scenario() -> None:
        async with running() as market:
            for prefix in ("", "/api.binance.com", "/localhost.test:8080"):
                status, document, _ = await market.get(f"{prefix}/api/v3/time")
                assert (status, document) == (200, {"serverTime": START})

    asyncio.run(scenario())


def test_page_sizes_and_bounds_of_klines() -> None:
    async def opens(market: Any, **query: Any) -> list[int]:
        found = await market.spot("klines", symbol="BTCUSDT", interval="1m", **query)
        return [bar[0] for bar in found]

    async def scenario() -> None:
        async with running(at_ms=START + 15_000) as market:
            newest = await opens(market)
            assert len(newest) == 500 and newest[-1] == START
            assert len(await opens(market, limit=5000)) == 1000
            # Both ends are inclusive and mean the open; a start counts forwards.
            begin = START - HOUR
            assert await opens(market, startTime=begin, limit=2) == [
                begin,
                begin + MINUTE,
            ]
            assert await opens(
                market, startTime=begin + 1, endTime=begin + 2 * MINUTE
            ) == [begin + MINUTE, begin + 2 * MINUTE]
            assert await opens(market, endTime=begin, limit=2) == [
                begin - MINUTE,
                begin,
            ]
            assert await opens(market, startTime=START + DAY) == []
            assert await opens(market, startTime=begin, endTime=begin - 1) == []

    asyncio.run(scenario())


def test_history_begins_where_the_symbol_was_listed() -> None:
    async def scenario() -> None:
        settings = ReplaySettings(history_days=30)
        async with running(settings) as market:
            query = {"symbol": "BTCUSDT", "interval": "1h", "startTime": 0, "limit": 1}
            (first,) = await market.spot("klines", **query)
            assert first[0] == START // DAY * DAY - 30 * DAY

    asyncio.run(scenario())


def test_a_kline_has_their_twelve_fields_in_their_types() -> None:
    async def scenario() -> None:
        async with running() as market:
            (bar,) = await market.spot(
                "klines", symbol="BTCUSDT", interval="1h", limit=1
            )
            kinds = [int, str, str, str, str, str, int, str, int, str, str, str]
            assert [type(field) for field in bar] == kinds
            assert bar[6] == bar[0] + HOUR - 1 and bar[11] == "0"
            assert all(len(text.split(".")[1]) == 8 for text in bar[1:6])

    asyncio.run(scenario())


def test_too_much_weight_is_429_and_going_on_is_418() -> None:
    async def scenario() -> None:
        async with running(ReplaySettings(weight_per_minute=10)) as market:
            for used in (2, 4, 6, 8, 10):
                *_, headers = await market.get(
                    "/api/v3/klines", symbol="BTCUSDT", interval="1m", limit=1
                )
                assert headers["X-MBX-USED-WEIGHT-1M"] == str(used)
            status, document, headers = await market.get("/api/v3/time")
            assert (status, document["code"]) == (429, -1003)
            assert headers["Retry-After"] == "60"
            codes = [(await market.get("/api/v3/time"))[0] for _ in range(4)]
            assert codes == [429, 429, 418, 418]
            # The minute has passed, the ban has not; then both have.
            market.clock.at_ms += MINUTE
            status, document, headers = await market.get("/api/v3/time")
            assert status == 418 and "IP banned until" in document["msg"]
            market.clock.at_ms += int(headers["Retry-After"]) * 1000
            assert (await market.get("/api/v3/time"))[0] == 200
            _, summary, _ = await market.get("/replay/requests")
            assert summary["inside_ban_windows"] == 5
            assert summary["by_status"] == {"200": 6, "418": 3, "429": 3}

    asyncio.run(scenario())


def test_who_waits_as_told_is_served_again() -> None:
    async def scenario() -> None:
        async with running(ReplaySettings(weight_per_minute=1)) as market:
            assert (await market.get("/api/v3/time"))[0] == 200
            assert (await market.get("/api/v3/time"))[0] == 429
            market.clock.at_ms += MINUTE
            assert (await market.get("/api/v3/time"))[0] == 200
            _, summary, _ = await market.get("/replay/requests", recent=1)
            assert summary["inside_ban_windows"] == 0
            assert [entry["status"] for entry in summary["recent"]] == [200]

    asyncio.run(scenario())
