"""What is wrong with the answer of a call, given the body it was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from app.domain.market import BookLevel, FundingRate, Market, OrderBook, PublicTrade
from app.exchange.replies import CandlePage, RejectedItem, TickerBatch, TradePage
from tests.fuzz.corpus import Kind, Subject
from tests.fuzz.judge_bars import Window, judge_bars, read_row, refusable
from tests.fuzz.reading import number, says

_MARKET_IDS = {"BTCUSDT", "LTCUSDT", "ETHUSDT", "BTCUSD_PERP", "LTCUSD_PERP"}


def judge(subject: Subject, answer: Any, document: Any) -> Iterator[str]:
    """Complaints about the answer to a call whose reply is `document`."""
    match subject.kind:
        case Kind.CANDLES:
            yield from _candles(subject, answer, document)
        case Kind.TRADES:
            yield from _trades(subject, answer, document)
        case Kind.BOOK:
            yield from _book(subject, answer, document)
        case Kind.TICKERS:
            yield from _tickers(subject, answer, document)
        case Kind.FUNDING:
            yield from _funding(subject, answer, document)
        case Kind.TIME:
            yield from _time(answer, document)
        case Kind.MARKETS:
            yield from _markets(answer)
        case Kind.BAR_FILE | Kind.TRADE_FILE:
            raise AssertionError("files are judged as text")


def must_answer(subject: Subject, document: Any) -> bool:
    """Whether the document has the form in which each item is judged alone."""
    match subject.kind:
        case Kind.CANDLES | Kind.TRADES:
            # As long a page nobody has to read.
            return isinstance(document, list) and len(document) <= 10_000
        case Kind.BOOK:
            return (
                isinstance(document, dict)
                and _plain_book(document, subject.now) is not None
            )
        case _:
            return False


def _candles(subject: Subject, page: CandlePage, document: Any) -> Iterator[str]:
    if not isinstance(document, list):
        yield f"a page came from {type(document).__name__}"
        return
    assert subject.since is not None
    window = Window(subject.timeframe, _ms(subject.since), _ms(subject.now))
    volume_at = 7 if subject.path.startswith("/dapi") else 5
    rows = [read_row(raw, window, volume_at) for raw in document]
    bars = [
        (float(ms), *values)
        for ms, values in zip(page.open_ms.tolist(), page.values.tolist(), strict=True)
    ]
    yield from judge_bars(bars, rows, window)
    fewest, most, about = refusable(rows, window)
    if not fewest <= len(page.rejected) <= most:
        yield f"{len(page.rejected)} rows are refused, not {fewest} to {most}"
    yield from _named(page.rejected, about)


def _trades(subject: Subject, page: TradePage, document: Any) -> Iterator[str]:
    if not isinstance(document, list):
        yield f"trades came from {type(document).__name__}"
        return
    read = [_trade(entry) for entry in document if isinstance(entry, dict)]
    said = {key for key, _ in read if key is not None}
    for trade in page.trades:
        key = (trade.price, trade.amount, int(_ms(trade.at)))
        if key not in said:
            yield f"{trade} is not in the document"
        if not _is_possible(trade, subject.now):
            yield f"impossible {trade}"
    accounted = len(page.trades) + len(page.rejected)
    if accounted != min(len(document), 500 + len(page.rejected)):
        yield f"{len(document)} trades were sent, {accounted} are accounted for"
    sound = Counter(key for key, is_sure in read if is_sure and _fits(key, subject.now))
    found = Counter((t.price, t.amount, int(_ms(t.at))) for t in page.trades)
    if sound - found and len(document) <= 500:
        yield f"sound trades are lost: {list(sound - found)[:3]}"
    yield from _named(page.rejected, document)


def _trade(entry: dict[str, Any]) -> tuple[tuple[float, float, int] | None, bool]:
    price, amount = number(entry.get("p")), number(entry.get("q"))
    at = number(entry.get("T"))
    if not abs(at[0]) < 1e300:
        return None, False
    is_sure = price[1] and amount[1] and at[1] and set(entry) <= set("aflmMpqT")
    return (price[0], amount[0], int(at[0])), is_sure


def _fits(key: tuple[float, float, int] | None, now: datetime) -> bool:
    if key is None:
        return False
    price, amount, at = key
    sane = 0 < price < 1e308 and 0 < amount < 1e308
    return sane and 1_230_768_000_000 <= at <= _ms(now)


def _is_possible(trade: PublicTrade, now: datetime) -> bool:
    sane = 0 < trade.price < float("inf") and 0 < trade.amount < float("inf")
    lag = (trade.at - now).total_seconds()
    return sane and trade.at.year >= 2009 and lag <= 300


def _book(subject: Subject, book: OrderBook, document: Any) -> Iterator[str]:
    if not isinstance(document, dict):
        yield f"a book came from {type(document).__name__}"
        return
    for levels, key, sign in ((book.bids, "bids", -1), (book.asks, "asks", 1)):
        prices = [sign * level.price for level in levels]
        if prices != sorted(prices):
            yield f"{key} are not in order: {prices}"
        sent = document.get(key)
        said = {_level(each) for each in sent} if isinstance(sent, list) else set()
        for level in levels:
            if (level.price, level.amount) not in said:
                yield f"{level} is not among the {key} of the document"
            if not (0 < level.price < float("inf") and 0 < level.amount < float("inf")):
                yield f"impossible {level}"
    if book.bids and book.asks and book.bids[0].price >= book.asks[0].price:
        yield f"the book is crossed: {book.bids[0]}, {book.asks[0]}"
    plain = _plain_book(document, subject.now)
    if plain is not None and [_pairs(book.bids), _pairs(book.asks)] != plain:
        yield "the book is not the best 20 levels of the document"


def _plain_book(
    document: dict[str, Any], now: datetime
) -> list[list[tuple[float, float]]] | None:
    """Both sides, where every reader must take every level of them."""
    sides: list[list[tuple[float, float]]] = []
    if "code" in document or not _is_honest_time(document.get("T"), now):
        return None
    for key in ("bids", "asks"):
        levels = document.get(key)
        if not isinstance(levels, list):
            return None
        for level in levels:
            if not isinstance(level, list) or len(level) != 2:
                return None
            for cell in level:
                value, is_sure = number(cell)
                if not is_sure or not 0 < value < 1e308:
                    return None
        pairs = sorted((_level(each) for each in levels), key=lambda pair: pair[0])
        if len({price for price, _ in pairs}) != len(pairs):
            return None
        sides.append((pairs if key == "asks" else pairs[::-1])[:20])
    bids, asks = sides
    return None if bids and asks and bids[0][0] >= asks[0][0] else sides


def _is_honest_time(sent: Any, now: datetime) -> bool:
    """Whether it is absent, or a number of milliseconds that has passed."""
    return sent is None or (isinstance(sent, int) and 1.3e12 < sent < _ms(now))


def _level(sent: Any) -> tuple[float, float]:
    if not isinstance(sent, list) or len(sent) < 2:
        return (0.0, 0.0)
    return number(sent[0])[0], number(sent[1])[0]


def _pairs(levels: Sequence[BookLevel]) -> list[tuple[float, float]]:
    return [(level.price, level.amount) for level in levels]


_TICKER_FIELDS = {
    "last": "lastPrice",
    "bid": "bidPrice",
    "ask": "askPrice",
    "high_24h": "highPrice",
    "low_24h": "lowPrice",
    "base_volume_24h": "volume",
    "quote_volume_24h": "quoteVolume",
}


def _tickers(subject: Subject, batch: TickerBatch, document: Any) -> Iterator[str]:
    entries = [each for each in _items(document) if isinstance(each, dict)]
    for symbol, ticker in batch.tickers.items():
        market_id = symbol.partition(":")[0].replace("/", "")
        sent = [each for each in entries if each.get("symbol") == market_id]
        if not any(_agrees(ticker, each) for each in sent):
            yield f"{ticker} is not in the document"
        if ticker.at is not None and (ticker.at - subject.now).total_seconds() > 300:
            yield f"{ticker} lies in the future"
        for name in _TICKER_FIELDS:
            value = getattr(ticker, name)
            lowest = 0 if name.endswith("volume_24h") else 1e-300
            if value is not None and not lowest <= value < float("inf"):
                yield f"{name} of {ticker} is impossible"
        if ticker.bid and ticker.ask and ticker.bid > ticker.ask:
            yield f"{ticker} is crossed"
    values = document.values() if isinstance(document, dict) else ()
    yield from _named(batch.rejected, [*_items(document), *values])


def _agrees(ticker: Any, entry: dict[str, Any]) -> bool:
    """Whether each figure is the entry's own; one it does not have may be derived."""
    for name, key in _TICKER_FIELDS.items():
        value, (said, _) = getattr(ticker, name), number(entry.get(key))
        if value is None or value == said:
            continue
        if name == "last" and not said > 0:
            continue  # ccxt derives it from the day's open and change
        return False
    return True


def _funding(
    subject: Subject, rate: FundingRate | None, document: Any
) -> Iterator[str]:
    entry = document[0] if isinstance(document, list) and document else document
    if rate is None or not isinstance(entry, dict):
        yield f"{rate} came from {type(document).__name__}"
        return
    if rate.rate != number(entry.get("lastFundingRate"))[0] or abs(rate.rate) >= 1:
        yield f"{rate} is not in the document"
    if str(entry.get("symbol")) in _MARKET_IDS - {subject.market_id}:
        yield f"{rate} is that of {entry.get('symbol')!r}, not of {subject.market_id}"


def _time(moment: datetime, document: Any) -> Iterator[str]:
    said = document.get("serverTime") if isinstance(document, dict) else None
    value, _ = number(said)
    if not abs(_ms(moment) - value) < 1:
        yield f"{moment} is not the time {said!r} of the document"


def _markets(markets: dict[str, Market]) -> Iterator[str]:
    for symbol, market in markets.items():
        texts = (symbol, market.base, market.quote, market.exchange_symbol)
        if not all(text and len(text) <= 64 and text.isprintable() for text in texts):
            yield f"unusable name in {market}"
        steps = (market.price_tick, market.amount_step, market.min_notional)
        if not all(step is None or 0 < step < float("inf") for step in steps):
            yield f"impossible step in {market}"


def _named(rejected: Sequence[RejectedItem], about: Sequence[Any]) -> Iterator[str]:
    for item in rejected:
        if not item.rule or not item.reason:
            yield f"no rule or reason: {item}"
        if not any(says(item.raw, raw) for raw in about):
            yield f"refused {item.raw!r:.120} is no item of the document"


def _items(document: Any) -> list[Any]:
    return document if isinstance(document, list) else [document]


def _ms(moment: datetime) -> float:
    return round(moment.timestamp() * 1000, 3)
