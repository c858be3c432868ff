"""A batch of tickers: one bad item is refused, the others are kept; cached."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core.clock import ManualClock
from app.core.exceptions import CorruptReply
from tests.exchange.fake_exchange import START, body, ms, opened, ticker_entry


@pytest.mark.parametrize(
    "changes",
    [
        {"lastPrice": "NaN"},
        {"lastPrice": None},
        {"lastPrice": "inf"},
        {"lastPrice": "0.0"},
        {"lastPrice": "-1"},
        {"lastPrice": {"a": 1}},
        {"lastPrice": [1]},
        {"lastPrice": "12,5"},
        {"lastPrice": True},
        {"bidPrice": "100.2"},
        {"bidPrice": "-1"},
        {"highPrice": "80.0"},
        {"volume": "-3"},
        {"quoteVolume": "Infinity"},
        {"closeTime": ms(START) * 1000},
        {"closeTime": ms(START + timedelta(hours=1))},
    ],
)
async def test_one_bad_ticker_does_not_lose_the_batch(changes: dict[str, Any]) -> None:
    bad = ticker_entry("ETH", **changes)
    async with opened() as (fake, exchange):
        fake.always["ticker/24hr"] = body(
            [ticker_entry("BTC"), bad, ticker_entry("SOL")]
        )
        batch = await exchange.fetch_tickers()
        assert set(batch.tickers) == {"BTC/USDT", "SOL/USDT"}
        (item,) = batch.rejected
        assert item.what == "ticker" and item.symbol in ("ETH/USDT", "ETHUSDT")
        assert "ETHUSDT" in item.raw and item.rule


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, {"symbol": None}])
async def test_an_entry_that_is_no_ticker_is_refused(junk: Any) -> None:
    async with opened() as (fake, exchange):
        fake.always["ticker/24hr"] = body([junk, ticker_entry("BTC")])
        batch = await exchange.fetch_tickers()
        assert set(batch.tickers) == {"BTC/USDT"}


async def test_figures_of_a_ticker() -> None:
    async with opened() as (_, exchange):
        ticker = (await exchange.fetch_tickers()).tickers["BTC/USDT"]
    assert (ticker.last, ticker.bid, ticker.ask) == (100.0, 99.9, 100.1)
    assert (ticker.high_24h, ticker.low_24h) == (110.0, 90.0)
    assert (ticker.base_volume_24h, ticker.quote_volume_24h) == (1000.0, 100_000.0)
    assert ticker.at == START
    assert ticker.spread_bps == pytest.approx(20.0)


async def test_no_bid_is_none_and_not_zero() -> None:
    entry = ticker_entry("BTC", bidPrice="0.00000000", volume="0.0")
    async with opened() as (fake, exchange):
        fake.always["ticker/24hr"] = body([entry])
        ticker = (await exchange.fetch_tickers()).tickers["BTC/USDT"]
    assert ticker.bid is None and ticker.spread_bps is None
    assert ticker.base_volume_24h == 0.0


async def test_tickers_of_unlisted_markets_are_left_out() -> None:
    async with opened() as (fake, exchange):
        fake.always["ticker/24hr"] = body([ticker_entry("BTC"), ticker_entry("XYZ")])
        batch = await exchange.fetch_tickers()
        assert set(batch.tickers) == {"BTC/USDT"}


async def test_a_batch_without_any_listed_market_is_corrupt() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["ticker/24hr"] = body([ticker_entry("XYZ")])
        with pytest.raises(CorruptReply, match="no ticker"):
            await exchange.fetch_tickers()


async def test_tickers_are_cached_for_their_time_to_live() -> None:
    clock = ManualClock(START)
    async with opened(clock, tickers_ttl_seconds=5.0) as (fake, exchange):
        await exchange.fetch_tickers()
        some = await exchange.fetch_tickers(["SOL/USDT", "NO/SUCH"])
        assert list(some.tickers) == ["SOL/USDT"]
        assert len(fake.asked("ticker/24hr")) == 1
        clock.advance(5.1)
        await exchange.fetch_tickers()
        assert len(fake.asked("ticker/24hr")) == 2
