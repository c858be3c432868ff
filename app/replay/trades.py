"""Public trades that add up to the bars they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.replay import grid
from app.replay.bars import OPEN_MS, TRADES, VOLUME, Rows, price_at, turning_points
from app.replay.draws import generator
from app.replay.render import decimal_text
from app.replay.source import Listing, MarketSource

# A bar's trades are told in at most this many prints; ids leave room for them.
_PRINTS = 48
_IDS_PER_BAR = 64
# How far back a request without a start looks: enough for a thousand prints even
# where most minutes have no trade.
_LOOK_BACK_BARS = 180


@dataclass(frozen=True, slots=True)
class Print:
    """One trade; `maker_bought` is Binance's `isBuyerMaker` (the taker sold)."""

    trade_id: int
    at_ms: int
    price: int
    amount: int
    maker_bought: bool


def prints(
    source: MarketSource,
    listing: Listing,
    now_ms: int,
    limit: int,
    start_ms: int | None = None,
    end_ms: int | None = None,
    from_id: int | None = None,
) -> list[Print]:
    """Ascending trades: from a start or an id the oldest `limit`, else the newest."""
    horizon = listing.horizon_ms(now_ms)
    until = horizon if end_ms is None else min(horizon, end_ms)
    duration = grid.shift(0, listing.finest, 1)
    forward = from_id is not None or start_ms is not None
    if from_id is not None:
        begin = from_id // _IDS_PER_BAR * duration
    elif start_ms is not None:
        begin = grid.floor(start_ms, listing.finest)
    else:
        begin = grid.floor(until, listing.finest) - _LOOK_BACK_BARS * duration
    begin = max(begin, listing.listed_ms)
    stop = min(until, begin + _LOOK_BACK_BARS * duration) if forward else until
    rows = source.true_bars(listing, begin, stop + 1)
    found: list[Print] = []
    for row in rows if forward else rows[::-1]:
        made = [
            each
            for each in _prints_of(row, listing, duration, source.seed)
            if each.at_ms <= until
            and (start_ms is None or each.at_ms >= start_ms)
            and (from_id is None or each.trade_id >= from_id)
        ]
        found = found + made if forward else made + found
        if len(found) >= limit:
            break
    return found[:limit] if forward else found[-limit:]


def aggregate_trade(each: Print, listing: Listing) -> dict[str, object]:
    """One element of `aggTrades`."""
    return {
        "a": each.trade_id,
        "p": decimal_text(each.price, listing.price_decimals),
        "q": decimal_text(each.amount, listing.lot_decimals),
        "f": each.trade_id,
        "l": each.trade_id,
        "T": each.at_ms,
        "m": each.maker_bought,
        "M": True,
    }


def public_trade(each: Print, listing: Listing) -> dict[str, object]:
    """One element of `trades`."""
    worth = each.price * each.amount
    return {
        "id": each.trade_id,
        "price": decimal_text(each.price, listing.price_decimals),
        "qty": decimal_text(each.amount, listing.lot_decimals),
        "quoteQty": decimal_text(worth, listing.price_decimals + listing.lot_decimals),
        "time": each.at_ms,
        "isBuyerMaker": each.maker_bought,
        "isBestMatch": True,
    }


def _prints_of(row: Rows, listing: Listing, duration_ms: int, seed: int) -> list[Print]:
    """A bar's trades: amounts add up to its volume, prices touch open to close."""
    opened, volume = int(row[OPEN_MS]), int(row[VOLUME])
    count = min(int(row[TRADES]), _PRINTS, volume)
    if count < 1:
        return []
    first_id = opened // duration_ms * _IDS_PER_BAR
    rng = generator(seed, listing.symbol, "trades", opened // duration_ms)
    cuts = np.sort(rng.integers(0, volume - count + 1, count - 1))
    amounts = np.diff(np.concatenate(([0], cuts, [volume - count]))) + 1
    parts = [(k + 0.5) / count for k in range(count)]
    prices = [price_at(row, part) for part in parts]
    for at, price in turning_points(row):
        if count >= 4:
            prices[min(count - 1, int(at * count))] = price
    sold = rng.random(count) < 0.5
    return [
        Print(
            trade_id=first_id + k,
            at_ms=opened + int(parts[k] * duration_ms),
            price=prices[k],
            amount=int(amounts[k]),
            maker_bought=bool(sold[k]),
        )
        for k in range(count)
    ]
