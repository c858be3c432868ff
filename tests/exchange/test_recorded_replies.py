"""Binance's own recorded replies, as they are and mutated, through unmodified ccxt."""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
from contextlib import AsyncExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.clock import ManualClock
from app.core.exceptions import AppError
from app.domain.timeframe import Timeframe
from app.exchange.service import ExchangeService
from tests.exchange.fake_exchange import FakeExchange, body, opened

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY_2019 = datetime(2019, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> dict[str, Any]:
    """The recorded document of each endpoint the service asks."""
    path = shared_data / "captures" / "rest" / "binance_public_http.json.gz"
    routes = json.loads(gzip.decompress(path.read_bytes()))["routes"]

    def reply(endpoint: str, query: str) -> Any:
        entries = routes[f"/api/v3/{endpoint}"]["GET"]
        return next(e["data"] for e in entries if e["queryString"] == query)

    daily = (
        "endTime=1577836799000&interval=1d&limit=1000"
        "&startTime=1546300800000&symbol=BTCUSDT"
    )
    return {
        "exchangeInfo": reply("exchangeInfo", ""),
        "klines": reply("klines", daily),
        "ticker/24hr": reply("ticker/24hr", ""),
        "depth": reply("depth", "limit=1000&symbol=BTCUSDT"),
        "aggTrades": reply("aggTrades", "limit=1000&symbol=BTCUSDT"),
    }


def serve(fake: FakeExchange, documents: dict[str, Any]) -> None:
    fake.now = NOW
    fake.always = {endpoint: body(doc) for endpoint, doc in documents.items()}


async def test_recorded_replies_are_read_whole(recorded: dict[str, Any]) -> None:
    async with opened(ManualClock(NOW)) as (fake, exchange):
        serve(fake, recorded)
        markets = await exchange.fetch_markets()
        spot = [e for e in recorded["exchangeInfo"]["symbols"]]
        assert {m.exchange_symbol for m in markets.values()} == {
            e["symbol"] for e in spot
        }
        assert not exchange.rejected_markets
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.D1, DAY_2019, 1000)
        rows = recorded["klines"]
        assert page.open_ms.tolist() == [row[0] for row in rows]
        assert [c.close for c in page.candles] == [float(row[4]) for row in rows]
        book = await exchange.fetch_order_book("BTC/USDT", 5)
        assert book.asks[0].price == float(recorded["depth"]["asks"][0][0])
        trades = await exchange.fetch_trades("BTC/USDT")
        assert len(trades.trades) == len(recorded["aggTrades"])


POISON = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["NaN", "inf", "-0", "1e400", "1e30000000", "9" * 300, "0.0"]),
    st.just([]),
    st.just({}),
    st.just([[]]),
)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[list[int], str, Any]]:
    """Steps down a document (taken modulo what is there), what to do, with what."""
    step = st.tuples(
        st.lists(st.integers(0, 1000), min_size=1, max_size=5),
        st.sampled_from(["replace", "remove", "repeat", "text"]),
        POISON,
    )
    return draw(st.lists(step, min_size=1, max_size=3))


def mutated(document: Any, steps: list[tuple[list[int], str, Any]]) -> str:
    document = copy.deepcopy(document)
    text_cut = 0
    for path, action, poison in steps:
        if action == "text":
            text_cut = path[0] + 1
            continue
        node = document
        for turn in path:
            if not isinstance(node, list | dict) or not node:
                break
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            parent, key = node, keys[turn % len(keys)]
            node = node[key]
        else:
            if action == "remove":
                del parent[key]
            elif action == "repeat" and isinstance(parent, list):
                parent.append(copy.deepcopy(node))
            else:
                parent[key] = poison
    text = json.dumps(document)
    return text[:-text_cut] if text_cut else text


async def ask_everything(exchange: ExchangeService) -> None:
    """Whatever comes back is possible; whatever goes wrong is an error of ours."""
    try:
        for market in (await exchange.fetch_markets(force=True)).values():
            assert market.symbol and market.base and market.quote
            steps = (market.price_tick, market.amount_step, market.min_notional)
            assert all(step is None or 0 < step < 1e30 for step in steps)
    except AppError:
        pass
    try:
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.D1, DAY_2019, 1000)
        assert all(candle.impossibility() is None for candle in page.candles)
        assert all(c.open_at < NOW - timedelta(days=1) for c in page.candles)
    except AppError:
        pass
    try:
        for ticker in (await exchange.fetch_tickers()).tickers.values():
            figures = (ticker.last, ticker.bid, ticker.ask, ticker.high_24h)
            assert all(f is None or 0 < f < float("inf") for f in figures)
    except AppError:
        pass
    try:
        book = await exchange.fetch_order_book("BTC/USDT", 10)
        levels = [
            x for level in book.bids + book.asks for x in (level.price, level.amount)
        ]
        assert all(0 < x < float("inf") for x in levels)
    except AppError:
        pass
    try:
        for trade in (await exchange.fetch_trades("BTC/USDT")).trades:
            assert 0 < trade.price < float("inf") and 0 < trade.amount < float("inf")
    except AppError:
        pass


def test_mutated_replies_give_nothing_impossible(recorded: dict[str, Any]) -> None:
    small = {
        **recorded,
        "exchangeInfo": {"symbols": recorded["exchangeInfo"]["symbols"][:6]},
        "klines": recorded["klines"][:20],
        "depth": {
            **recorded["depth"],
            "bids": recorded["depth"]["bids"][:5],
            "asks": recorded["depth"]["asks"][:5],
        },
    }
    listed = {e["symbol"] for e in small["exchangeInfo"]["symbols"]}
    if "BTCUSDT" not in listed:
        small["exchangeInfo"]["symbols"] += [
            e for e in recorded["exchangeInfo"]["symbols"] if e["symbol"] == "BTCUSDT"
        ]
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        options = {"max_attempts": 1, "tickers_ttl_seconds": 0.0}
        context = opened(ManualClock(NOW), **options)
        fake, exchange = runner.run(stack.enter_async_context(context))

        @settings(max_examples=300, deadline=None)
        @given(endpoint=st.sampled_from(sorted(small)), steps=mutations())
        def check(endpoint: str, steps: list[tuple[list[int], str, Any]]) -> None:
            serve(fake, small)
            fake.always[endpoint] = body(mutated(small[endpoint], steps))
            runner.run(ask_everything(exchange))

        try:
            check()
        finally:
            runner.run(stack.aclose())
