"""The unmodified ccxt binance class, over real sockets."""

from __future__ import annotations

import asyncio

import ccxt.async_support as ccxt
import pytest

from app.config.settings import ReplaySettings
from tests.replay.running import DAY, HOUR, MINUTE, running

START = ReplaySettings().start.timestamp() * 1000


def test_markets_load_with_their_precision_and_limits() -> None:
    async def scenario() -> None:
        async with running() as market, market.client() as exchange:
            markets = await exchange.load_markets()
            assert len(markets) == 20
            bitcoin = markets["BTC/USDT"]
            assert bitcoin["active"] and bitcoin["spot"]
            assert bitcoin["precision"]["price"] == 0.01
            assert bitcoin["precision"]["amount"] == 0.00001
            assert bitcoin["limits"]["cost"]["min"] == 5.0

    asyncio.run(scenario())


def test_all_tickers_and_chosen_ones() -> None:
    async def scenario() -> None:
        async with running() as market, market.client() as exchange:
            everything = await exchange.fetch_tickers()
            assert len(everything) == 20
            for ticker in everything.values():
                assert ticker["low"] <= ticker["last"] <= ticker["high"]
                assert 0 < ticker["bid"] < ticker["ask"]
                assert ticker["low"] <= ticker["vwap"] <= ticker["high"]
            chosen = await exchange.fetch_tickers(["BTC/USDT", "ETH/USDT"])
            assert set(chosen) == {"BTC/USDT", "ETH/USDT"}
            single = await exchange.fetch_ticker("BTC/USDT")
            assert single["last"] == everything["BTC/USDT"]["last"]
            quotes = await exchange.fetch_bids_asks(["BTC/USDT"])
            assert quotes["BTC/USDT"]["bid"] == single["bid"]

    asyncio.run(scenario())


def test_bars_are_contiguous_and_end_with_the_unfinished_one() -> None:
    async def scenario() -> None:
        at = int(START) + 30_000
        async with running(at_ms=at) as market, market.client() as exchange:
            bars = await exchange.fetch_ohlcv("BTC/USDT", "5m", limit=100)
            opens = [bar[0] for bar in bars]
            assert opens == list(range(opens[0], opens[0] + 500 * MINUTE, 5 * MINUTE))
            assert opens[-1] == at // (5 * MINUTE) * 5 * MINUTE
            since = opens[10]
            again = await exchange.fetch_ohlcv("BTC/USDT", "5m", since, 20)
            assert again == bars[10:30]

    asyncio.run(scenario())


def test_order_book_is_sorted_and_not_crossed() -> None:
    async def scenario() -> None:
        async with running() as market, market.client() as exchange:
            for symbol in ("BTC/USDT", "NULS/USDT", "USDC/USDT"):
                book = await exchange.fetch_order_book(symbol, 50)
                bids = [price for price, _ in book["bids"]]
                asks = [price for price, _ in book["asks"]]
                assert len(bids) == len(asks) == 50
                assert bids == sorted(set(bids), reverse=True)
                assert asks == sorted(set(asks)) and bids[0] < asks[0]
                assert all(size > 0 for _, size in book["bids"] + book["asks"])

    asyncio.run(scenario())


def test_trades_add_up_to_the_bar_they_belong_to() -> None:
    async def scenario() -> None:
        at = int(START) + 30_000
        async with running(at_ms=at) as market, market.client() as exchange:
            minute = int(START) - 5 * MINUTE
            (bar,) = await exchange.fetch_ohlcv("ETH/USDT", "1m", minute, 1)
            until = {"until": minute + MINUTE - 1}
            trades = await exchange.fetch_trades("ETH/USDT", minute, 500, until)
            prices = [trade["price"] for trade in trades]
            assert sum(t["amount"] for t in trades) == pytest.approx(bar[5], abs=1e-9)
            assert [prices[0], max(prices), min(prices), prices[-1]] == bar[1:5]
            newest = await exchange.fetch_trades("ETH/USDT", limit=10)
            assert len(newest) == 10 and newest[-1]["timestamp"] <= at

    asyncio.run(scenario())


def test_time_is_virtual() -> None:
    async def scenario() -> None:
        async with running(at_ms=int(START) + 1234) as market:
            async with market.client() as exchange:
                assert await exchange.fetch_time() == int(START) + 1234

    asyncio.run(scenario())


def test_a_symbol_is_halted_and_then_gone() -> None:
    async def scenario() -> None:
        async with running() as market, market.client() as exchange:
            assert (await exchange.load_markets())["WAVES/USDT"]["active"]
            market.clock.at_ms += 4 * HOUR + MINUTE
            markets = await exchange.load_markets(True)
            assert not markets["WAVES/USDT"]["active"]
            bars = await exchange.fetch_ohlcv("WAVES/USDT", "1m", limit=2)
            assert bars[-1][0] == int(START) + 4 * HOUR - MINUTE
            market.clock.at_ms += DAY
            with pytest.raises(ccxt.BadSymbol):
                await exchange.fetch_ohlcv("WAVES/USDT", "1m", limit=2)
            assert "WAVES/USDT" not in await exchange.load_markets(True)

    asyncio.run(scenario())


def test_a_rate_limit_reaches_ccxt_as_one() -> None:
    async def scenario() -> None:
        settings = ReplaySettings(weight_per_minute=25)
        async with running(settings) as market, market.client() as exchange:
            exchange.options["fetchMarkets"] = {"types": ["spot"]}
            await exchange.load_markets()
            with pytest.raises(ccxt.DDoSProtection):
                for _ in range(3):
                    await exchange.fetch_ohlcv("BTC/USDT", "1m", limit=2)
            assert "Retry-After" in exchange.last_response_headers

    asyncio.run(scenario())
