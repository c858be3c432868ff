"""One damaged character must not make another price, time or answer of a reply."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.core.exceptions import BadData, CorruptReply, ExchangeUnavailable
from app.domain.timeframe import Timeframe
from app.exchange.archives.bar_file import BarFile, read_bars
from app.exchange.archives.trades import read_trades
from tests.exchange.fake_exchange import START, bar, body, opened, symbol_entry

FIRST = START.replace(second=0) - timedelta(minutes=5)


@pytest.mark.parametrize(
    "close", ["101_00000000", "\u0661\u0660\u0661.0", "101\x1f", True]
)
async def test_what_only_python_reads_as_a_number_is_no_price(close: Any) -> None:
    damaged = bar(FIRST)
    damaged[4] = close
    async with opened() as (fake, exchange):
        fake.always["klines"] = body([damaged, bar(FIRST + timedelta(minutes=1))])
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)
    assert [c.open_at for c in page.candles] == [FIRST + timedelta(minutes=1)]
    assert [json.loads(item.raw) for item in page.rejected] == [damaged]


@pytest.mark.parametrize("fraction", [0.5, "0.5"])
async def test_a_time_between_milliseconds_is_not_cut_to_the_grid(
    fraction: Any,
) -> None:
    damaged = bar(FIRST)
    is_text = isinstance(fraction, str)
    damaged[0] = f"{damaged[0]}.5" if is_text else damaged[0] + fraction
    async with opened() as (fake, exchange):
        fake.always["klines"] = body([damaged])
        page = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)
    assert len(page) == 0 and len(page.rejected) == 1


@pytest.mark.parametrize("level", [["9_9", "1"], [True, "1"], ["99", "\u0661"]])
async def test_levels_of_a_book_are_numbers(level: list[Any]) -> None:
    async with opened() as (fake, exchange):
        fake.always["depth"] = body({"bids": [level], "asks": [["101", "1"]]})
        with pytest.raises(BadData):
            await exchange.fetch_order_book("BTC/USDT")


@pytest.mark.parametrize("document", [{}, {"data": []}, {"code": "0", "msg": None}])
async def test_an_object_is_no_empty_list(document: Any) -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["klines"] = fake.always["aggTrades"] = body(document)
        with pytest.raises(CorruptReply):
            await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)
        with pytest.raises(CorruptReply):
            await exchange.fetch_trades("BTC/USDT")


@pytest.mark.parametrize("numeral", ["+2e99999", "02e99999", "1.e99999"])
async def test_an_absurd_numeral_that_json_forbids_makes_no_document(
    numeral: str,
) -> None:
    text = json.dumps([bar(FIRST)]).replace("[[", f"[[{numeral},")
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["klines"] = body(text)
        with pytest.raises(CorruptReply, match="no JSON document"):
            await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)


@pytest.mark.parametrize("blank", ["\v", "\f", "\x1c", "\u00a0", "\u2003"])
async def test_a_blank_that_json_does_not_know_makes_no_document(blank: str) -> None:
    page = json.dumps([bar(FIRST)])
    async with opened(max_attempts=1) as (fake, exchange):
        for damaged in (blank + page, page + blank):
            fake.always["klines"] = body(damaged)
            with pytest.raises(CorruptReply, match="no JSON document"):
                await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)
        fake.always["klines"] = body(f"\r\n\t {page} \n")
        answer = await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)
    assert len(answer) == 1


@pytest.mark.parametrize("status", [402, 406, 413, 425, 499])
async def test_no_refusal_is_read_as_an_answer(status: int) -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["klines"] = body([bar(FIRST)], status)
        with pytest.raises(ExchangeUnavailable):
            await exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10)


async def test_of_requests_side_by_side_the_damaged_reply_is_kept() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        exchange._client.options["fetchMarkets"] = {"types": ["spot", "linear"]}
        sound = body({"symbols": [symbol_entry("BTC")]})
        fake.queued["exchangeInfo"].extend([body("<html>down"), sound])
        fake.always["fapi"] = sound
        with pytest.raises(CorruptReply):
            await exchange.fetch_markets()
        (item,) = exchange.take_corrupt_replies().items
    assert item.raw == "<html>down"


async def test_a_ticker_reply_without_a_listed_market_is_kept() -> None:
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["ticker/24hr"] = body([{"symbol": "NOBODY"}])
        with pytest.raises(CorruptReply):
            await exchange.fetch_tickers()
        (item,) = exchange.take_corrupt_replies().items
    assert json.loads(item.raw) == [{"symbol": "NOBODY"}]


def test_digits_of_other_scripts_are_no_numbers_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2020-01.csv"
    path.write_text("1577836800000,\u0661,2,1,1,5,0\n1577836860000,1,2,1,1,5,0\n")
    file = BarFile(path, "BTC/USDT", Timeframe.M1)
    (chunk,) = read_bars(file, START)
    assert chunk.open_ms.tolist() == [1577836860000] and len(chunk.refused) == 1
    trades = tmp_path / "BTCUSDT-aggTrades-2020-01.csv"
    trades.write_text("1,\u0661,2,1,1,1577836800000,True,True\n")
    (read,) = read_trades(trades, "BTC/USDT")
    assert len(read.trades) == 0 and len(read.refused) == 1


async def test_a_page_of_more_items_than_any_venue_sends_is_not_read() -> None:
    many = "[" + "[]," * 10_000 + "[]]"
    async with opened(max_attempts=1) as (fake, exchange):
        for endpoint in ("klines", "aggTrades", "ticker/24hr"):
            fake.always[endpoint] = body(many)
        for ask in (
            exchange.fetch_candles("BTC/USDT", Timeframe.M1, FIRST, 10),
            exchange.fetch_trades("BTC/USDT"),
            exchange.fetch_tickers(),
        ):
            with pytest.raises(CorruptReply, match="10001 items"):
                await ask


@pytest.mark.parametrize("places", [3_600_000_008, -3_600_000_008])
async def test_billions_of_decimal_places_cost_no_time(places: int) -> None:
    damaged = symbol_entry("ETH", quotePrecision=places, baseAssetPrecision=places)
    async with opened(max_attempts=1) as (fake, exchange):
        fake.always["exchangeInfo"] = body({"symbols": [symbol_entry("BTC"), damaged]})
        async with asyncio.timeout(20):
            markets = await exchange.fetch_markets()
    assert "BTC/USDT" in markets


def test_a_file_cut_within_its_header_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1m-2020-01.csv"
    path.write_text("open_time,open,high,low,close,volume,clo")
    chunks = list(read_bars(BarFile(path, "BTC/USDT", Timeframe.M1), START))
    assert sum(map(len, chunks)) == 0
