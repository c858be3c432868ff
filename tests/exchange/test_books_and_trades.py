"""Order books, public trades and funding rates."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core.exceptions import AppError, BadData
from tests.exchange.fake_exchange import START, body, ms, opened


def aggregate(number: int, **changes: Any) -> dict[str, Any]:
    at = START - timedelta(seconds=100 - number)
    trade = {"a": number, "p": "100.5", "q": "0.25", "T": ms(at), "m": False, "M": True}
    return {**trade, **changes}


async def test_a_book_has_its_best_levels_first() -> None:
    document = {
        "bids": [["99.8", "2"], ["99.9", "1"], ["99.7", "3"]],
        "asks": [["100.2", "5"], ["100.1", "4"]],
    }
    async with opened() as (fake, exchange):
        fake.always["depth"] = body(document)
        book = await exchange.fetch_order_book("BTC/USDT", depth=2)
    assert [(b.price, b.amount) for b in book.bids] == [(99.9, 1.0), (99.8, 2.0)]
    assert [(a.price, a.amount) for a in book.asks] == [(100.1, 4.0), (100.2, 5.0)]


async def test_an_empty_side_is_possible() -> None:
    async with opened() as (fake, exchange):
        fake.always["depth"] = body({"bids": [], "asks": [["100.1", "4"]]})
        assert (await exchange.fetch_order_book("BTC/USDT")).bids == ()


@pytest.mark.parametrize(
    "bids",
    [
        [["100.1", "1"]],
        [["NaN", "1"]],
        [["99", "0"]],
        [["-1", "1"]],
        [["99", "inf"]],
        [["99"]],
        [None],
        ["99"],
        [["99", None]],
        {"99": "1"},
        None,
    ],
)
async def test_an_impossible_book_is_refused(bids: Any) -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["depth"] = body({"bids": bids, "asks": [["100.1", "4"]]})
        with pytest.raises(AppError):
            await exchange.fetch_order_book("BTC/USDT")


async def test_trades_come_oldest_first_with_the_taker_side() -> None:
    trades = [aggregate(3, m=True), aggregate(1), aggregate(2)]
    async with opened() as (fake, exchange):
        fake.always["aggTrades"] = body(trades)
        page = await exchange.fetch_trades("BTC/USDT", limit=2)
    assert [trade.trade_id for trade in page.trades] == ["2", "3"]
    # `m`: the buyer was the maker, so the taker sold.
    assert [trade.taker_side for trade in page.trades] == ["buy", "sell"]
    assert page.trades[0].price == 100.5 and page.trades[0].amount == 0.25


async def test_trades_since_a_moment() -> None:
    since = START - timedelta(seconds=97)
    async with opened() as (fake, exchange):
        fake.always["aggTrades"] = body([aggregate(n) for n in range(10)])
        page = await exchange.fetch_trades("BTC/USDT", since, limit=2)
    assert [trade.trade_id for trade in page.trades] == ["3", "4"]


@pytest.mark.parametrize(
    "bad",
    [
        aggregate(2, p="NaN"),
        aggregate(2, p="0"),
        aggregate(2, q="-1"),
        aggregate(2, q=None),
        aggregate(2, T=ms(START) * 1000),
        aggregate(2, T=None),
        aggregate(2, T=ms(START + timedelta(days=1))),
        {**aggregate(2), "symbol": "ETHUSDT"},
        None,
        5,
        [],
        {},
    ],
)
async def test_one_bad_trade_does_not_lose_the_others(bad: Any) -> None:
    async with opened() as (fake, exchange):
        fake.always["aggTrades"] = body([aggregate(1), bad, aggregate(3)])
        page = await exchange.fetch_trades("BTC/USDT")
    assert [trade.trade_id for trade in page.trades] == ["1", "3"]
    assert len(page.rejected) == 1


async def test_a_spot_market_has_no_funding_rate() -> None:
    async with opened() as (fake, exchange):
        assert await exchange.fetch_funding_rate("BTC/USDT") is None
        assert [name for name, _, _ in fake.requests] == ["exchangeInfo"]


@pytest.mark.parametrize("milliseconds", [ms(START) * 1000, ms(START) // 1000, None])
async def test_an_impossible_server_time_is_an_error(milliseconds: Any) -> None:
    async with opened(max_attempts=2) as (fake, exchange):
        fake.always["time"] = body({"serverTime": milliseconds})
        with pytest.raises(AppError) as raised:
            await exchange.server_time()
        assert not isinstance(raised.value, BadData)
