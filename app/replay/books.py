"""Order books around the last price, a function of the second they are asked in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.replay.draws import generator
from app.replay.quotes import last_price, quote_of
from app.replay.render import decimal_text
from app.replay.source import Listing, MarketSource

Ticks = NDArray[np.int64]


def depth(
    source: MarketSource, listing: Listing, limit: int, now_ms: int
) -> dict[str, object]:
    """A `depth` reply: `limit` levels a side, best first, never crossed."""
    quote = quote_of(listing, last_price(source, listing, now_ms), now_ms, source.seed)
    book: dict[str, object] = {"lastUpdateId": now_ms // 100}
    if not quote.bid:
        return {**book, "bids": [], "asks": []}
    second = now_ms // 1000
    rng = generator(source.seed, listing.symbol, "depth", second)
    gaps = _gaps(rng, quote.ask - quote.bid, limit)
    # Larger sizes wait further from the best price.
    growth = 1 + np.arange(limit) / 20
    sizes = np.exp(0.8 * rng.standard_normal((2, limit))) * growth
    bids, asks = quote.bid - gaps[0], quote.ask + gaps[1]
    bid_sizes = np.maximum(1, np.rint(sizes[0] * quote.bid_size)).astype(np.int64)
    ask_sizes = np.maximum(1, np.rint(sizes[1] * quote.ask_size)).astype(np.int64)
    bid_sizes[0], ask_sizes[0] = quote.bid_size, quote.ask_size
    alive = bids > 0
    return {
        **book,
        "bids": _levels(bids[alive], bid_sizes[alive], listing),
        "asks": _levels(asks, ask_sizes, listing),
    }


def _gaps(rng: np.random.Generator, spread: int, limit: int) -> Ticks:
    """Distance of each level from the best, in ticks, shape (2, limit), rising."""
    steps = 1 + np.floor(rng.exponential(max(0.3, spread / 4), (2, limit)))
    steps[:, 0] = 0
    return np.cumsum(steps, axis=1).astype(np.int64)


def _levels(prices: Ticks, sizes: Ticks, listing: Listing) -> list[list[str]]:
    return [
        [
            decimal_text(price, listing.price_decimals),
            decimal_text(size, listing.lot_decimals),
        ]
        for price, size in zip(prices.tolist(), sizes.tolist())
    ]
