"""Recorded bars served as a market."""

from __future__ import annotations

import asyncio
import csv
import gzip
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.config.settings import ReplaySettings
from app.core.exceptions import ConfigurationError
from app.replay.grid import to_ms
from app.replay.recording import RecordedMarket
from tests.replay.running import DAY, HOUR, MINUTE, running

HEADER = "open_time,open,high,low,close,volume\n"


def at(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def write_minutes(folder: Path, symbol: str, first: str, count: int) -> None:
    begin = datetime.fromisoformat(first)
    lines = [HEADER]
    for i in range(count):
        opened = (begin + timedelta(minutes=i)).isoformat()
        lines.append(f"{opened},{10 + i}.5,{11 + i},{10 + i}.25,{10 + i}.75,{i % 3}\n")
    (folder / f"{symbol}-1m.csv").write_text("".join(lines))


async def klines(market: Any, symbol: str, interval: str, **query: Any) -> Any:
    return await market.spot("klines", symbol=symbol, interval=interval, **query)


def file_rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as stream:
        return list(csv.DictReader(stream))


def test_served_minutes_equal_the_file(shared_data: Path) -> None:
    folder = shared_data / "candles" / "binance"
    recorded = file_rows(folder / "ETHUSDT-1m.csv.gz")[100:1100]

    async def scenario() -> None:
        async with running(ReplaySettings(recording=str(folder))) as market:
            begin = at(recorded[0]["open_time"])
            served = await klines(
                market, "ETHUSDT", "1m", startTime=begin, limit=len(recorded)
            )
            columns = {
                1: "open",
                2: "high",
                3: "low",
                4: "close",
                5: "volume",
                7: "quote_volume",
                9: "taker_base_volume",
                10: "taker_quote_volume",
            }
            for bar, row in zip(served, recorded, strict=True):
                assert bar[0] == at(row["open_time"]) and bar[8] == int(row["trades"])
                for index, name in columns.items():
                    assert Decimal(bar[index]) == Decimal(row[name])

    asyncio.run(scenario())


def test_hours_aggregate_to_the_recorded_days(
    shared_data: Path, tmp_path: Path
) -> None:
    binance = shared_data / "candles" / "binance"
    (tmp_path / "BTCUSDT-1h.csv.gz").symlink_to(binance / "BTCUSDT-1h.csv.gz")
    settings = ReplaySettings(recording=str(tmp_path))
    days = file_rows(binance / "BTCUSDT-1d.csv.gz")

    async def scenario() -> None:
        async with running(settings, at("2022-01-01T00:00:00Z")) as market:
            begin = at("2020-01-01T00:00:00Z")
            end = at("2020-12-31T00:00:00Z")
            query = {"startTime": begin, "endTime": end, "limit": 1000}
            served = await klines(market, "BTCUSDT", "1d", **query)
            assert len(served) == len(days) == 366
            for bar, row in zip(served, days):
                names = ("open", "high", "low", "close")
                expected = [Decimal(row[name]) for name in names]
                assert [Decimal(text) for text in bar[1:5]] == expected
                # The daily file lacks the volume of 2020-02-29.
                volume = Decimal(row["volume"]) or Decimal(bar[5])
                assert abs(Decimal(bar[5]) - volume) < Decimal("0.001")

    asyncio.run(scenario())


def test_a_mixed_folder_uses_each_file_where_it_has_bars(shared_data: Path) -> None:
    folder = shared_data / "candles" / "binance"

    async def scenario() -> None:
        async with running(ReplaySettings(recording=str(folder))) as market:
            # A day after the first minute, so that there is history.
            assert market.clock.at_ms == at("2025-10-30T04:22:00Z")
            newest = await klines(market, "BTCUSDT", "1h", limit=30)
            opens = [bar[0] for bar in newest]
            # The hour cut by the first minute is not there; 2024 comes before.
            assert opens[-24:-1] == [
                at("2025-10-29T05:00:00Z") + i * HOUR for i in range(23)
            ]
            assert opens[-25] == at("2024-04-21T14:00:00Z")
            day = at("2020-06-01T00:00:00Z")
            (bar,) = await klines(market, "BTCUSDT", "1d", startTime=day, limit=1)
            assert bar[0] == day and bar[1].startswith("9448.27")

    asyncio.run(scenario())


def test_nothing_of_the_future_is_served(shared_data: Path) -> None:
    folder = shared_data / "candles" / "binance"

    async def scenario() -> None:
        now = at("2025-10-30T12:34:20Z")
        async with running(ReplaySettings(recording=str(folder)), now) as market:
            for interval in ("1m", "5m", "1h", "4h"):
                bars = await klines(market, "ETHUSDT", interval, limit=2)
                assert bars[0][6] < now and bars[1][0] <= now <= bars[1][6]
                market.clock.at_ms = now + DAY
                query = {"startTime": bars[1][0], "limit": 1}
                (final,) = await klines(market, "ETHUSDT", interval, **query)
                market.clock.at_ms = now
                assert final[1] == bars[1][1]
                assert float(bars[1][5]) < float(final[5])
                assert float(bars[1][2]) <= float(final[2])
                assert float(bars[1][3]) >= float(final[3])

    asyncio.run(scenario())


def test_the_unmodified_ccxt_reads_a_recording(shared_data: Path) -> None:
    folder = shared_data / "candles" / "binance"

    async def scenario() -> None:
        settings = ReplaySettings(recording=str(folder))
        async with running(settings) as market, market.client() as exchange:
            assert set(await exchange.load_markets()) == {"BTC/USDT", "ETH/USDT"}
            ticker = await exchange.fetch_ticker("BTC/USDT")
            assert ticker["bid"] < ticker["ask"] and ticker["quoteVolume"] > 1e9
            assert len(await exchange.fetch_trades("BTC/USDT", limit=20)) == 20
            book = await exchange.fetch_order_book("ETH/USDT", 5)
            assert len(book["bids"]) == 5

    asyncio.run(scenario())


def test_time_stands_still_at_the_end(tmp_path: Path) -> None:
    write_minutes(tmp_path, "BTCUSDT", "2025-01-01T00:00:00Z", 600)
    write_minutes(tmp_path, "ETHUSDT", "2025-01-01T00:00:00Z", 500)
    source = RecordedMarket(ReplaySettings(recording=str(tmp_path)))
    assert source.ends_ms == at("2025-01-01T10:00:00Z")
    statuses = {
        each.symbol: each.status.value for each in source.listings(source.ends_ms)
    }
    assert statuses == {"BTCUSDT": "TRADING", "ETHUSDT": "BREAK"}


def test_buckets_cut_by_an_end_are_left_out_and_holes_are_not(tmp_path: Path) -> None:
    write_minutes(tmp_path, "BTCUSDT", "2025-01-01T00:07:00Z", 40)
    path = tmp_path / "BTCUSDT-1m.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5] + lines[8:]))  # 00:11 to 00:13 are lost

    async def scenario() -> None:
        now = at("2025-01-01T00:47:00Z")
        async with running(ReplaySettings(recording=str(tmp_path)), now) as market:
            bars = await klines(market, "BTCUSDT", "5m")
            first = at("2025-01-01T00:10:00Z")
            assert [bar[0] for bar in bars[:2]] == [first, first + 5 * MINUTE]
            # 00:10 and 00:14, the fourth and the eighth line.
            assert [float(x) for x in bars[0][1:6]] == [13.5, 18.0, 13.25, 17.75, 1.0]
            minutes = [bar[0] for bar in await klines(market, "BTCUSDT", "1m")]
            assert len(minutes) == 37

    asyncio.run(scenario())


def test_parquet_and_epoch_milliseconds_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    begin = at("2025-01-01T00:00:00Z")
    table = pyarrow.table(
        {
            "open_time": [begin + i * MINUTE for i in range(120)],
            **{name: [1.1 + i / 10 for i in range(120)] for name in ("open", "close")},
            "high": [20.0] * 120,
            "low": [0.1] * 120,
            "volume": [0.3] * 120,
        }
    )
    parquet.write_table(table, tmp_path / "ETHBTC-1m.parquet")

    async def scenario() -> None:
        now = begin + 2 * HOUR
        async with running(ReplaySettings(recording=str(tmp_path)), now) as market:
            (bar,) = await klines(market, "ETHBTC", "1h", startTime=begin, limit=1)
            expected = ["1.10000000", "20.00000000", "0.10000000", "7.00000000"]
            assert bar[1:6] == [*expected, "18.00000000"]

    asyncio.run(scenario())


def test_start_may_be_chosen_within_the_recording(tmp_path: Path) -> None:
    write_minutes(tmp_path, "BTCUSDT", "2025-01-01T00:00:00Z", 600)

    def start_of(**settings: Any) -> int:
        chosen = ReplaySettings(recording=str(tmp_path), **settings)
        return RecordedMarket(chosen).first_start_ms

    assert start_of() == at("2025-01-01T05:00:00Z")
    chosen = "2025-01-01T08:00:00Z"
    assert start_of(start=chosen) == at(chosen)
    with pytest.raises(ConfigurationError, match="2025-01-01T10:00:00"):
        start_of(start="2026-01-01T00:00:00Z")


GOOD = "2025-01-01T00:00:00Z,1,2,1,2,5\n"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("BTCUSDT-1m.csv", HEADER, "no bars"),
        ("BTCUSDT-7m.csv", HEADER + GOOD, "SYMBOL-TIMEFRAME"),
        ("bitcoin.csv", HEADER + GOOD, "SYMBOL-TIMEFRAME"),
        ("BTCXXX-1m.csv", HEADER + GOOD, "quote currency"),
        ("BTCUSDT-1m.csv", "time,open\n", "open_time is missing"),
        ("BTCUSDT-1m.csv", HEADER + GOOD + GOOD, "line 3: a second bar"),
        ("BTCUSDT-1m.csv", HEADER + "soon,1,2,1,2,5\n", "line 2: open_time.*soon"),
        ("BTCUSDT-1m.csv", HEADER + "1735689600,1,2,1,2,5\n", "line 2: open_time"),
        ("BTCUSDT-1h.csv", HEADER + GOOD.replace("00:00Z", "01:00Z"), "1h grid"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace(",5", ",x"), "volume.*got x"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace(",5", ",-5"), "volume.*got -5"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace(",5", ","), "volume must be a num"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace(",5", ",nan"), "volume.*nan"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace(",5", ",1e999"), "volume.*1e999"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace("Z,1,2,1", "Z,0,2,1"), "open.*got 0"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace("Z,1,2,1", "Z,1,2,3"), "high.*got 2"),
        ("BTCUSDT-1m.csv", HEADER + GOOD.replace("Z,1,2,1", "Z,9,2,1"), "open.*got 9"),
        ("BTCUSDT-1m.csv.gz", HEADER + GOOD, "cannot be read"),
        ("BTCUSDT-1m.parquet", HEADER + GOOD, "cannot be read"),
    ],
)
def test_a_malformed_file_is_refused_by_name_line_and_value(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        RecordedMarket(ReplaySettings(recording=str(tmp_path)))
    assert str(tmp_path) in str(caught.value)


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigurationError, match="replay.recording"):
            RecordedMarket(ReplaySettings(recording=str(folder)))
