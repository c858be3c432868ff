"""Tickers and best quotes, derived from the bars of the last 24 hours."""

from __future__ import annotations

from dataclasses import dataclass

from app.replay.bars import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    OPEN_MS,
    QUOTE_VOLUME,
    TRADES,
    VOLUME,
    price_at,
)
from app.replay.draws import chance
from app.replay.grid import DAY_MS, shift
from app.replay.render import decimal_text
from app.replay.source import Listing, ListingStatus, MarketSource, seen_bars


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask in ticks, their sizes in lots; all zero while halted."""

    bid: int
    bid_size: int
    ask: int
    ask_size: int


def last_price(source: MarketSource, listing: Listing, now_ms: int) -> int | None:
    """Price of the newest trade in ticks; None where the day had none."""
    horizon = listing.horizon_ms(now_ms)
    duration = shift(0, listing.finest, 1)
    rows = source.true_bars(listing, horizon - max(2 * duration, DAY_MS), horizon)
    if not len(rows):
        return None
    row = rows[-1]
    part = (horizon - int(row[OPEN_MS])) / duration
    return price_at(row, part) if part < 1 else int(row[CLOSE])


def quote_of(listing: Listing, last: int | None, now_ms: int, seed: int) -> Quote:
    """Best bid and ask around `last`; the spread breathes from second to second."""
    if last is None or listing.status is not ListingStatus.TRADING:
        return Quote(0, 0, 0, 0)
    second = now_ms // 1000
    breath = 0.8 + 0.4 * chance(seed, listing.symbol, "spread", second)
    half = last * listing.spread_bps * breath / 20_000
    bid = max(1, int(last - half))
    ask = max(bid + 1, round(last + half))
    return Quote(
        bid,
        _size(listing, last, seed, "bid", second),
        ask,
        _size(listing, last, seed, "ask", second),
    )


def book_ticker(listing: Listing, quote: Quote) -> dict[str, object]:
    """One element of `ticker/bookTicker`."""
    return {
        "symbol": listing.symbol,
        "bidPrice": decimal_text(quote.bid, listing.price_decimals),
        "bidQty": decimal_text(quote.bid_size, listing.lot_decimals),
        "askPrice": decimal_text(quote.ask, listing.price_decimals),
        "askQty": decimal_text(quote.ask_size, listing.lot_decimals),
    }


def day_ticker(
    source: MarketSource, listing: Listing, now_ms: int
) -> dict[str, object]:
    """One element of `ticker/24hr`: the rolling window that ends now."""
    rows = seen_bars(source, listing, now_ms - DAY_MS, now_ms)
    price, lots = listing.price_decimals, listing.lot_decimals
    last = last_price(source, listing, now_ms)
    if not len(rows):
        opened = high = low = volume = turnover = trades = 0
    else:
        opened, high = int(rows[0, OPEN]), int(rows[:, HIGH].max())
        low, volume = int(rows[:, LOW].min()), int(rows[:, VOLUME].sum())
        turnover = int(rows[:, QUOTE_VOLUME].sum())
        trades = int(rows[:, TRADES].sum())
    close = last or 0
    change = (close - opened) / opened * 100 if opened else 0.0
    average = 0.0
    if volume:
        average = turnover / 10**listing.quote_decimals / (volume / 10**lots)
    quote = quote_of(listing, last, now_ms, source.seed)
    first_id = now_ms // 1000
    return {
        "symbol": listing.symbol,
        "priceChange": decimal_text(close - opened, price),
        "priceChangePercent": f"{change:.3f}",
        "weightedAvgPrice": f"{average:.8f}",
        "prevClosePrice": decimal_text(opened, price),
        "lastPrice": decimal_text(close, price),
        "lastQty": decimal_text(max(1, volume // max(trades, 1)), lots),
        **book_ticker(listing, quote),
        "openPrice": decimal_text(opened, price),
        "highPrice": decimal_text(high, price),
        "lowPrice": decimal_text(low, price),
        "volume": decimal_text(volume, lots),
        "quoteVolume": decimal_text(turnover, listing.quote_decimals),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": first_id,
        "lastId": first_id + max(trades - 1, 0),
        "count": trades,
    }


def _size(listing: Listing, last: int, seed: int, side: str, second: int) -> int:
    """Lots at the best price: worth some hundred to some thousand of the quote."""
    worth = 400 + 6000 * chance(seed, listing.symbol, side, second)
    unit = last * 10.0 ** -(listing.price_decimals + listing.lot_decimals)
    return max(1, round(worth / unit))
