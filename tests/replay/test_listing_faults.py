"""Symbols that halt, vanish or change their name, a clock that is wrong, a full log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.config.settings import FaultSettings, ReplaySettings
from app.replay.grid import to_datetime
from tests.replay.running import MINUTE, RunningMarket, running

START = int(ReplaySettings().start.timestamp() * 1000) // MINUTE * MINUTE
FROM = to_datetime(START).isoformat()
SETTINGS = ReplaySettings(markets=4, history_days=2, served_log=True)


async def symbols(market: RunningMarket) -> dict[str, str]:
    document = await market.spot("exchangeInfo")
    return {each["symbol"]: each["status"] for each in document["symbols"]}


async def bars(market: RunningMarket, symbol: str, **query: Any) -> list[list[Any]]:
    found: list[list[Any]] = await market.spot(
        "klines", symbol=symbol, interval="1m", **query
    )
    return found


def test_a_halted_symbol_stays_listed_and_opens_no_more_bars() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START - 1) as market:
            await market.set_faults(
                {"kind": "halt", "symbol": "ETHUSDT", "start": FROM}
            )
            assert (await symbols(market))["ETHUSDT"] == "TRADING"
            market.clock.at_ms = START + 5 * MINUTE
            assert (await symbols(market))["ETHUSDT"] == "BREAK"
            assert (await bars(market, "ETHUSDT"))[-1][0] == START - MINUTE
            assert (await bars(market, "BTCUSDT"))[-1][0] == START + 5 * MINUTE

    asyncio.run(scenario())


def test_a_delisted_symbol_is_gone() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START) as market:
            await market.set_faults(
                {"kind": "delist", "symbol": "ETHUSDT", "start": FROM}
            )
            assert "ETHUSDT" not in await symbols(market)
            status, document, _ = await market.get(
                "/api/v3/klines", symbol="ETHUSDT", interval="1m"
            )
            assert (status, document["code"]) == (400, -1121)

    asyncio.run(scenario())


def test_a_renamed_symbol_keeps_its_bars_under_the_new_name() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START) as market:
            before = await bars(market, "ETHUSDT", limit=5)
            await market.set_faults(
                {
                    "kind": "rename",
                    "symbol": "ETHUSDT",
                    "rename_to": "ETCUSDT",
                    "start": FROM,
                }
            )
            assert "ETHUSDT" not in await symbols(market)
            assert await bars(market, "ETCUSDT", limit=5) == before
            assert (await market.get("/api/v3/klines", symbol="ETHUSDT"))[0] == 400

    asyncio.run(scenario())


def test_a_wrong_clock_shows_in_time_and_bars_but_not_in_the_limits() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START) as market:
            await market.set_faults({"kind": "clock_skew", "skew_seconds": -90})
            assert (await market.spot("time"))["serverTime"] == START - 90_000
            assert (await bars(market, "BTCUSDT"))[-1][0] == START - 2 * MINUTE
            _, log, _ = await market.get("/replay/requests", recent=1)
            assert log["recent"][0]["virtual_ms"] == START

    asyncio.run(scenario())


def test_pages_that_overlap_and_pages_in_no_order() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START) as market:
            since = START - 9 * MINUTE
            honest = [bar[0] for bar in await bars(market, "BTCUSDT", startTime=since)]
            await market.set_faults({"kind": "overlapping_pages"})
            wide = [bar[0] for bar in await bars(market, "BTCUSDT", startTime=since)]
            assert wide == [since - k * MINUTE for k in (3, 2, 1)] + honest
            await market.set_faults({"kind": "shuffled_bars"})
            mixed = [bar[0] for bar in await bars(market, "BTCUSDT", startTime=since)]
            assert mixed != honest and sorted(mixed) == honest

    asyncio.run(scenario())


def test_every_value_sent_is_in_the_served_log_once() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START + 30_000) as market:
            for _ in range(2):
                sent = await bars(market, "BTCUSDT", limit=2)
            _, log, _ = await market.get(
                "/replay/served", symbol="BTCUSDT", interval="1m"
            )
            assert [row[:6] for row in log] == [bar[:6] for bar in sent]
            assert [row[6] for row in log] == [True, False]

    asyncio.run(scenario())


def test_a_wait_of_part_of_a_second_is_told_and_counted() -> None:
    async def scenario() -> None:
        async with running(SETTINGS, START) as market:
            fault = {"kind": "status", "status": 429, "retry_after_seconds": 0.25}
            await market.set_faults({**fault, "times": 1})
            _, _, headers = await market.get("/api/v3/time")
            assert headers["Retry-After"] == "0.25"
            for later, inside in ((249, 1), (250, 1)):
                market.clock.at_ms = START + later
                await market.get("/api/v3/time")
                _, log, _ = await market.get("/replay/requests")
                assert log["inside_ban_windows"] == inside

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["halt", "delist", "rename"])
def test_a_change_of_a_listing_says_of_which_and_when(kind: str) -> None:
    with pytest.raises(ValueError, match="needs"):
        FaultSettings.model_validate({"kind": kind, "symbol": "BTCUSDT"})
