"""A reply that is not the document asked for is an error, never "no data"."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from app.core.exceptions import CorruptReply, ExchangeError
from app.domain.timeframe import Timeframe
from tests.exchange.fake_exchange import (
    START,
    Reply,
    bar,
    body,
    cut,
    opened,
    ticker_entry,
)

SINCE = START - timedelta(minutes=10, seconds=30)
CORRUPT = {
    "html": body("<html><body>502 Bad Gateway</body></html>"),
    "empty": body(""),
    "blank": body("   \n"),
    "null": body("null"),
    "text": body('"maintenance"'),
    "number": body("17"),
    "truncated": body('[[1741003200000,"100.0","101.0"'),
    "bare NaN": body("[[1741003200000,NaN,1,1,1,1]]"),
    "deep": body("[" * 10_000 + "]" * 10_000),
    "cut off": cut,
}


@pytest.mark.parametrize("endpoint", ["klines", "ticker/24hr", "depth", "exchangeInfo"])
@pytest.mark.parametrize("kind", CORRUPT)
async def test_a_corrupt_body_is_an_error(kind: str, endpoint: str) -> None:
    async with opened(max_attempts=2) as (fake, exchange):
        fake.always[endpoint] = CORRUPT[kind]
        with pytest.raises(CorruptReply):
            if endpoint == "klines":
                await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
            elif endpoint == "depth":
                await exchange.fetch_order_book("BTC/USDT", 5)
            else:
                await exchange.fetch_tickers()
        assert len(fake.asked(endpoint)) == 2


@pytest.mark.parametrize("document", [{}, {"code": "x"}, [], [[]], [1], [None]])
async def test_a_document_of_another_shape_stores_nothing(document: Any) -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        await exchange.fetch_markets()
        for endpoint in ("klines", "depth", "ticker/24hr", "aggTrades"):
            fake.always[endpoint] = body(document)
        try:
            page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
        except ExchangeError:
            pass
        else:
            assert len(page) == 0 and len(page.rejected) == len(document)
        with pytest.raises(ExchangeError):
            await exchange.fetch_order_book("BTC/USDT", 5)
        try:
            assert not (await exchange.fetch_trades("BTC/USDT")).trades
            assert not (await exchange.fetch_tickers()).tickers
        except ExchangeError:
            pass


async def test_a_passing_corruption_is_retried() -> None:
    async with opened() as (fake, exchange):
        fake.queued["klines"].extend([CORRUPT["html"], CORRUPT["truncated"]])
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
        assert len(page) == 10
        assert len(fake.asked("klines")) == 3


def _endless(chunk: bytes, headers: dict[str, str], sent: list[int]) -> Reply:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            for _ in range(20_000):
                await response.write(chunk)
                sent.append(len(chunk))
        except (ConnectionError, OSError):
            pass
        return response

    return reply


async def test_a_huge_body_is_given_up_while_it_streams() -> None:
    sent: list[int] = []
    async with opened(max_attempts=1, max_body_bytes=1_000_000) as (fake, exchange):
        await exchange.server_time()
        fake.always["exchangeInfo"] = _endless(b" " * 10_000, {}, sent)
        with pytest.raises(CorruptReply, match="1000000"):
            await exchange.fetch_markets()
    # Of 200 MB; what was sent over the cap sat in socket buffers.
    assert sum(sent) < 20_000_000


async def test_a_huge_body_is_given_up_by_its_announced_length() -> None:
    sent: list[int] = []
    headers = {"Content-Length": "200000000"}
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["exchangeInfo"] = _endless(b" " * 10_000, headers, sent)
        with pytest.raises(CorruptReply, match="200000000"):
            await exchange.fetch_markets()


async def test_a_compressed_bomb_is_given_up() -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    async def reply(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=bomb, headers=headers)

    async with opened(max_attempts=1, max_body_bytes=1_000_000) as (fake, exchange):
        fake.always["exchangeInfo"] = reply
        with pytest.raises(CorruptReply):
            await exchange.fetch_markets()


@pytest.mark.parametrize(
    "numeral", ["1e30000000", "9" * 5_000, "1E+99999", "0.1e-99999"]
)
@pytest.mark.parametrize("quote", ['"', ""])
async def test_an_absurd_numeral_refuses_its_item_only(
    numeral: str, quote: str
) -> None:
    tickers = [ticker_entry("BTC", lastPrice="PRICE"), ticker_entry("ETH")]
    text = web.json_response(tickers).text or ""
    async with opened() as (fake, exchange):
        fake.always["ticker/24hr"] = body(
            text.replace('"PRICE"', quote + numeral + quote)
        )
        batch = await exchange.fetch_tickers()
        assert list(batch.tickers) == ["ETH/USDT"]
        assert "refused numeral" in batch.rejected[0].raw


async def test_a_redirect_is_not_followed() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["klines"] = body("", 302, {"Location": "/api/v3/time"})
        with pytest.raises(CorruptReply, match="302"):
            await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
        assert not fake.asked("klines")[1:]


async def test_one_unreadable_row_does_not_lose_the_page() -> None:
    rows = [bar(SINCE), ["x", None, {}, [], "1", "1"], "row", None, 5]
    async with opened() as (fake, exchange):
        fake.always["klines"] = body(rows)
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, SINCE, 10)
        assert [candle.open_at for candle in page.candles] == [SINCE]
        assert len(page.rejected) == 4
