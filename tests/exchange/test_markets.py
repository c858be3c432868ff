"""The market list: what is read from it, how long it is kept, when it is doubted."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.exceptions import CorruptReply, UnknownSymbol
from app.domain.market import MarketStatus
from tests.exchange.fake_exchange import START, body, opened, symbol_entry

BASES = [f"C{number:02d}" for number in range(20)]


async def test_figures_of_a_market() -> None:
    async with opened() as (_, exchange):
        market = await exchange.fetch_market("BTC/USDT")
    assert market.exchange == "replay"
    assert (market.exchange_symbol, market.base, market.quote) == (
        "BTCUSDT",
        "BTC",
        "USDT",
    )
    assert market.status is MarketStatus.TRADING
    assert (market.price_tick, market.amount_step) == (0.01, 0.001)
    assert market.min_notional == 5.0


async def test_an_unknown_symbol_names_the_nearest() -> None:
    async with opened() as (_, exchange):
        with pytest.raises(UnknownSymbol, match="nearest: BTC/USDT"):
            await exchange.fetch_market("BTC/USD")
        with pytest.raises(UnknownSymbol, match="nearest: BTC/USDT"):
            await exchange.fetch_order_book("btc/usdt")


async def test_a_symbol_that_the_exchange_itself_denies_is_unknown() -> None:
    denial = {"code": -1121, "msg": "Invalid symbol."}
    async with opened() as (fake, exchange):
        fake.always["depth"] = body(denial, 400)
        with pytest.raises(UnknownSymbol):
            await exchange.fetch_order_book("BTC/USDT")
        assert len(fake.asked("depth")) == 1


async def test_a_halted_market_stays_listed() -> None:
    entries = [symbol_entry("BTC"), symbol_entry("ETH", status="BREAK")]
    async with opened() as (fake, exchange):
        fake.always["exchangeInfo"] = body({"symbols": entries})
        assert (await exchange.fetch_market("ETH/USDT")).status is MarketStatus.HALTED


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        {},
        symbol_entry("X", filters=[{"filterType": "PRICE_FILTER", "tickSize": "NaN"}]),
        symbol_entry("X", filters="none"),
        symbol_entry("X", baseAsset=None),
        symbol_entry("X", baseAsset="A" * 500),
        symbol_entry("X", baseAsset="A\u0000\nB"),
    ],
)
async def test_one_bad_entry_does_not_lose_the_list(bad: Any) -> None:
    async with opened() as (fake, exchange):
        entries = [symbol_entry("BTC"), bad, symbol_entry("SOL")]
        fake.always["exchangeInfo"] = body({"symbols": entries})
        markets = await exchange.fetch_markets()
        assert {"BTC/USDT", "SOL/USDT"} <= set(markets)
        assert all(market.price_tick != float("nan") for market in markets.values())


async def test_odd_symbols_are_kept_as_they_are() -> None:
    names = ["币安人生", "../X", "1000SATS'); DROP"]
    async with opened() as (fake, exchange):
        fake.always["exchangeInfo"] = body(
            {"symbols": [symbol_entry(n) for n in names]}
        )
        assert set(await exchange.fetch_markets()) == {f"{n}/USDT" for n in names}


@pytest.mark.parametrize(
    "document", [{}, {"symbols": []}, {"symbols": None}, {"markets": [1]}]
)
async def test_a_list_without_markets_is_corrupt(document: Any) -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["exchangeInfo"] = body(document)
        with pytest.raises(CorruptReply):
            await exchange.fetch_markets()


async def test_markets_are_cached_for_their_time_to_live() -> None:
    clock = ManualClock(START)
    async with opened(clock, markets_ttl_seconds=60) as (fake, exchange):
        await exchange.fetch_markets()
        await exchange.fetch_markets()
        assert len(fake.asked("exchangeInfo")) == 1
        clock.advance(61)
        await exchange.fetch_markets()
        await exchange.fetch_markets(force=True)
        assert len(fake.asked("exchangeInfo")) == 3


async def test_a_list_that_cannot_be_had_anew_is_kept() -> None:
    clock = ManualClock(START)
    async with opened(clock, markets_ttl_seconds=600, max_attempts=1) as opening:
        fake, exchange = opening
        await exchange.fetch_markets()
        fake.always["exchangeInfo"] = body("<html>")
        clock.advance(601)
        for _ in range(3):
            assert len(await exchange.fetch_markets()) == 3
            await exchange.fetch_order_book("BTC/USDT")
        assert len(fake.asked("exchangeInfo")) == 2
        # Who judges the list itself is told.
        with pytest.raises(CorruptReply):
            await exchange.fetch_markets(force=True)
        clock.advance(61)
        del fake.always["exchangeInfo"]
        fake.bases = ["BTC", "ETH", "SOL", "NEW"]
        assert len(await exchange.fetch_markets()) == 4


async def test_a_collapsed_list_loses_no_market_until_it_is_believed() -> None:
    async with opened() as (fake, exchange):
        fake.bases = BASES
        await exchange.fetch_markets()
        fake.bases = [*BASES[:10], "NEW"]
        for _ in range(4):
            assert len(await exchange.fetch_markets(force=True)) == 21
            assert len(exchange.listed_markets) == 11
            await exchange.fetch_order_book("C15/USDT")
            await exchange.fetch_order_book("NEW/USDT")
        exchange.believe_market_list()
        assert len(await exchange.fetch_markets(force=True)) == 11


async def test_a_list_that_grows_back_is_believed_again() -> None:
    async with opened() as (fake, exchange):
        fake.bases = BASES
        await exchange.fetch_markets()
        fake.bases = BASES[:10]
        await exchange.fetch_markets(force=True)
        fake.bases = BASES[:19]
        assert len(await exchange.fetch_markets(force=True)) == 19


async def test_lost_status_fields_do_not_halt_the_universe() -> None:
    entries = [symbol_entry(base) for base in BASES]
    for entry in entries:
        del entry["status"]
    async with opened() as (fake, exchange):
        fake.bases = BASES
        await exchange.fetch_markets()
        fake.always["exchangeInfo"] = body({"symbols": entries})
        markets = await exchange.fetch_markets(force=True)
        assert all(m.status is MarketStatus.TRADING for m in markets.values())


async def test_single_delistings_are_believed_at_once() -> None:
    async with opened() as (fake, exchange):
        fake.bases = BASES
        await exchange.fetch_markets()
        fake.bases = BASES[:17]
        assert len(await exchange.fetch_markets(force=True)) == 17


DAMAGED: list[dict[str, Any]] = [
    {"filters": [{"filterType": []}]},  # ccxt fails on it
    {"baseAsset": None},  # ccxt takes the name of the market for it
    {"quoteAsset": None},  # ccxt leaves it out
    {"baseAsset": "A" * 500},  # ccxt reads it, no market has such a name
]


@pytest.mark.parametrize("damage", DAMAGED)
async def test_a_market_whose_entry_is_damaged_is_refused_and_kept(
    damage: dict[str, Any],
) -> None:
    damaged = symbol_entry("ETH", **damage)
    entries = [symbol_entry("BTC"), damaged]
    async with opened() as (fake, exchange):
        await exchange.fetch_markets()
        fake.always["exchangeInfo"] = body({"symbols": entries})
        for _ in range(2):
            markets = await exchange.fetch_markets(force=True)
            assert set(markets) == {"BTC/USDT", "ETH/USDT"}, "SOL is gone"
            assert set(exchange.listed_markets) == {"BTC/USDT"}
            (item,) = exchange.rejected_markets
            assert item.what == "market" and "ETHUSDT" in item.texts
            assert '"ETHUSDT"' in item.raw
            await exchange.fetch_order_book("ETH/USDT")
            exchange.believe_market_list()


@pytest.mark.parametrize("unnamed", [None, 7, {}, {"symbol": 7}, {"symbol": "ET"}])
async def test_an_entry_without_a_known_name_may_be_any_market(unnamed: Any) -> None:
    async with opened() as (fake, exchange):
        await exchange.fetch_markets()
        entries = [symbol_entry("BTC"), unnamed]
        fake.always["exchangeInfo"] = body({"symbols": entries})
        assert len(await exchange.fetch_markets(force=True)) == 3
        assert len(exchange.rejected_markets) == 1
