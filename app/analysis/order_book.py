"""What an order book looks like near its middle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.market import BookLevel, OrderBook


@dataclass(frozen=True, slots=True)
class BookSummary:
    """Depth within `depth_bps` of the mid, in the quote currency, and its balance.

    Of the levels that were read: a book that goes on beyond them within that distance
    is deeper.

    `imbalance` is (bids - asks) / (bids + asks) of that depth, in [-1, 1], positive
    where buyers wait; None where nothing rests within the distance.
    """

    best_bid: float
    best_ask: float
    mid: float
    spread_bps: float
    depth_bps: float
    bid_depth: float
    ask_depth: float
    imbalance: float | None


def summarize_book(book: OrderBook, depth_bps: float = 50.0) -> BookSummary | None:
    """Summary of `book`, or None where a side is empty or the book is crossed."""
    if not book.bids or not book.asks:
        return None
    best_bid, best_ask = book.bids[0].price, book.asks[0].price
    if not 0 < best_bid <= best_ask:
        return None
    mid = (best_bid + best_ask) / 2
    reach = mid * depth_bps / 10_000
    bid_depth = _depth(level for level in book.bids if level.price >= mid - reach)
    ask_depth = _depth(level for level in book.asks if level.price <= mid + reach)
    total = bid_depth + ask_depth
    return BookSummary(
        best_bid=best_bid,
        best_ask=best_ask,
        mid=mid,
        spread_bps=(best_ask - best_bid) / mid * 10_000,
        depth_bps=depth_bps,
        bid_depth=bid_depth,
        ask_depth=ask_depth,
        imbalance=(bid_depth - ask_depth) / total if total > 0 else None,
    )


def _depth(levels: Iterable[BookLevel]) -> float:
    return sum((level.price * level.amount for level in levels), 0.0)
