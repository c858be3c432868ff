"""Replies to start from: recorded ones, and the replay market's, a few items each."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from app.config.settings import ReplaySettings
from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.api import SpotApi
from app.replay.faults import FaultBook
from app.replay.simulated import SimulatedMarket

CAPTURE = Path("captures/rest/binance_public_http.json.gz")
_ITEMS = 4
_SYMBOLS = {
    "/api/v3/": {"BTCUSDT": "BTC/USDT", "ETHBTC": "ETH/BTC", "ETHUSDT": "ETH/USDT"},
    "/fapi/v1/": {"BTCUSDT": "BTC/USDT:USDT", "LTCUSDT": "LTC/USDT:USDT"},
    "/dapi/v1/": {"BTCUSD_PERP": "BTC/USD:BTC", "LTCUSD_PERP": "LTC/USD:LTC"},
}
_HOUR = timedelta(hours=1)


class Kind(str, Enum):
    """What is asked for."""

    CANDLES = "candles"
    TRADES = "trades"
    BOOK = "book"
    TICKERS = "tickers"
    FUNDING = "funding"
    TIME = "time"
    MARKETS = "markets"
    BAR_FILE = "bar file"
    TRADE_FILE = "trade file"


@dataclass(frozen=True, slots=True)
class Subject:
    """A sound reply and the call it answers; `now` is the exchange's time then."""

    kind: Kind
    path: str
    body: bytes
    now: datetime
    symbol: str = ""
    market_id: str = ""
    timeframe: Timeframe = Timeframe.M1
    since: datetime | None = None


def moment(milliseconds: float) -> datetime:
    """The instant of an epoch in milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)


def compact(document: Any) -> bytes:
    """JSON as exchanges write it."""
    return json.dumps(document, separators=(",", ":")).encode()


def load_corpus(shared_data: Path | None) -> list[Subject]:
    """All subjects; those of the replay market only, where there are no recordings."""
    subjects = list(_replayed())
    if shared_data is not None:
        subjects += _recorded(shared_data)
    return [*subjects, *_files(subjects)]


def market_lists(subjects: list[Subject]) -> dict[str, bytes]:
    """The reply of each `exchangeInfo` route: recorded before replayed."""
    found = {f"{root}exchangeInfo": b'{"symbols":[]}' for root in _SYMBOLS}
    for subject in subjects:
        if subject.kind is Kind.MARKETS:
            found[subject.path] = subject.body
    return found


_HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,c"


def _files(subjects: list[Subject]) -> Iterator[Subject]:
    """Archive files with the rows of the replies, in each form they come in."""
    for subject in subjects:
        rows = json.loads(subject.body)
        if subject.path == "/api/v3/klines" and subject.since is not None:
            lines = [",".join(map(str, row)) for row in rows]
            micro = [
                f"{row[0]}000,{line.partition(',')[2]}"
                for row, line in zip(rows, lines)
            ]
            named = [_HEADER, *lines]
            dated = [
                f"{moment(row[0])},{line.partition(',')[2]}"
                for row, line in zip(rows, lines)
            ]
            forms = ((lines, ".zip"), (micro, ".csv"), (named, ".csv"))
            for form, kind in (*forms, ([_HEADER, *dated], ".csv.gz")):
                name = f"BTCUSDT-{subject.timeframe}-2020-01{kind}"
                text = "".join(f"{line}\n" for line in form).encode()
                yield replace(subject, kind=Kind.BAR_FILE, path=name, body=text)
        if subject.path == "/api/v3/aggTrades":
            names = ("a", "p", "q", "f", "l", "T", "m", "M")
            text = "".join(
                ",".join(str(row.get(name, "")) for name in names) + "\n"
                for row in rows
            )
            name = "BTCUSDT-aggTrades-2020-01.csv"
            yield replace(subject, kind=Kind.TRADE_FILE, path=name, body=text.encode())


def _recorded(shared_data: Path) -> Iterator[Subject]:
    text = gzip.decompress((shared_data / CAPTURE).read_bytes())
    for path, methods in json.loads(text)["routes"].items():
        for entry in methods["GET"]:
            yield from _subjects(path, entry["queryString"], entry["data"])


def _replayed() -> Iterator[Subject]:
    settings = ReplaySettings(history_days=40)
    api = SpotApi(SimulatedMarket(settings), FaultBook((), settings.seed), 6000)
    now_ms = grid.to_ms(settings.start) + 90_000
    queries = [f"klines?symbol=BTCUSDT&interval={t}&limit=8" for t in Timeframe]
    queries += ["depth?symbol=BTCUSDT&limit=8", "aggTrades?symbol=BTCUSDT&limit=8"]
    for each in (*queries, "exchangeInfo?", "ticker/24hr?", "time?"):
        name, _, query = each.partition("?")
        body = api.reply(name, dict(parse_qsl(query)), now_ms).body
        assert isinstance(body, bytes)
        yield from _subjects(f"/api/v3/{name}", query, json.loads(body))


def _subjects(path: str, query_string: str, document: Any) -> Iterator[Subject]:
    root = next((root for root in _SYMBOLS if path.startswith(root)), "")
    query, name = dict(parse_qsl(query_string)), path.removeprefix(root)
    market_id = query.get("symbol", "")
    symbol = _SYMBOLS.get(root, {}).get(market_id, "")
    if isinstance(document, dict) and "code" in document:
        return  # an error document is one of the mutations
    match name:
        case "klines" if symbol:
            timeframe = Timeframe(query["interval"])
            rows = document[:_ITEMS]
            since = moment(rows[0][0])
            last = moment(rows[-1][0])
            # Once long after, once while the last bar is still open.
            for now in (last + 100 * timeframe.duration, last + timedelta(seconds=1)):
                yield Subject(
                    *(Kind.CANDLES, path, compact(rows), now, symbol, market_id),
                    *(timeframe, since),
                )
        case "aggTrades" if symbol:
            trades = document[:_ITEMS]
            now = moment(max(trade["T"] for trade in trades)) + _HOUR
            yield Subject(Kind.TRADES, path, compact(trades), now, symbol, market_id)
        case "depth" if symbol:
            book = {
                **document,
                "bids": document["bids"][:_ITEMS],
                "asks": document["asks"][:_ITEMS],
            }
            now = moment(document.get("E", 1_700_000_000_000)) + _HOUR
            yield Subject(Kind.BOOK, path, compact(book), now, symbol, market_id)
        case "ticker/24hr" if isinstance(document, list) and root == "/api/v3/":
            known = [each for each in document if each["symbol"] in _SYMBOLS[root]]
            now = moment(max(each["closeTime"] for each in known)) + _HOUR
            yield Subject(Kind.TICKERS, path, compact(known), now)
        case "premiumIndex" if symbol:
            first = document[0] if isinstance(document, list) else document
            now = moment(first["time"]) + _HOUR
            yield Subject(Kind.FUNDING, path, compact(document), now, symbol, market_id)
        case "time":
            # ccxt asks the spot route, whose reply has the same form.
            now = moment(document["serverTime"])
            yield Subject(Kind.TIME, "/api/v3/time", compact(document), now)
        case "exchangeInfo":
            wanted = [e for e in document["symbols"] if e["symbol"] in _SYMBOLS[root]]
            body = compact({**document, "symbols": wanted})
            yield Subject(Kind.MARKETS, path, body, moment(1_754_600_000_000))
        case _:
            return
